-- Mails and what they carry (docs/operating.md, Mail). Nothing was ever sent from the table of before.

DROP TABLE outbox;

-- Mails that wait, and those that were given up; what was sent is deleted. No row has a token or a code: they are drawn when it is sent.
CREATE TABLE outbox (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    recipient TEXT NOT NULL,
    body TEXT NOT NULL,
    run_at BIGINT NOT NULL,
    lease_until BIGINT,
    attempts BIGINT NOT NULL,
    failure TEXT,
    dead_at BIGINT,
    created_at BIGINT NOT NULL
);
CREATE INDEX outbox_due ON outbox (run_at) WHERE dead_at IS NULL;

-- How much of a bounded thing was used in a window of time that ends at window_end.
CREATE TABLE quotas (
    name TEXT NOT NULL,
    window_end BIGINT NOT NULL,
    used BIGINT NOT NULL,
    PRIMARY KEY (name, window_end)
);
CREATE INDEX quotas_by_end ON quotas (window_end);

-- The code that verifies an account's address: the newest one only, as its hash.
CREATE TABLE verifications (
    user_id TEXT PRIMARY KEY REFERENCES users (id),
    code_hash BYTEA,
    wrong BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX verifications_by_end ON verifications (expires_at);

-- An invite may be opened with several tokens: a mail that is sent twice has another token each time.
CREATE TABLE invited (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL UNIQUE,
    email TEXT,
    email_key TEXT,
    vouched BOOLEAN NOT NULL,
    owner BOOLEAN NOT NULL,
    invited_by TEXT REFERENCES users (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_by TEXT,
    CHECK (owner OR email IS NOT NULL),
    CHECK ((email IS NULL) = (email_key IS NULL))
);

CREATE TABLE invite_tokens (
    token_hash BYTEA PRIMARY KEY,
    invite_id TEXT NOT NULL REFERENCES invited (id),
    mailed BOOLEAN NOT NULL
);
CREATE INDEX invite_tokens_by_invite ON invite_tokens (invite_id);

INSERT INTO invited (id, user_id, email, email_key, vouched, owner, invited_by, created_at, expires_at, used_by)
    SELECT id, user_id, email, LOWER(email), vouched, owner, invited_by, created_at, expires_at, used_by FROM invites;
INSERT INTO invite_tokens (token_hash, invite_id, mailed) SELECT token_hash, id, FALSE FROM invites;
DROP TABLE invites;
ALTER TABLE invited RENAME TO invites;
CREATE INDEX invites_by_address ON invites (email_key);
CREATE INDEX invites_unused ON invites (expires_at) WHERE used_by IS NULL;
