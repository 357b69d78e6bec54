-- A handoff goes to exactly one: a person, a team, or an address whose person has not joined (SPEC T1, T19).

ALTER TABLE reservations ADD COLUMN to_user_id TEXT;
ALTER TABLE reservations ADD COLUMN to_team_id TEXT;
ALTER TABLE reservations ADD COLUMN to_team_epoch BIGINT;
ALTER TABLE reservations ADD COLUMN to_email TEXT;
UPDATE reservations SET to_user_id = (SELECT r.user_id FROM reservation_recipients r
    WHERE r.handoff_id = reservations.handoff_id AND r.position = 0);
DROP TABLE reservation_recipients;

ALTER TABLE handoffs ADD COLUMN to_user_id TEXT REFERENCES users (id);
ALTER TABLE handoffs ADD COLUMN to_team_id TEXT;
ALTER TABLE handoffs ADD COLUMN to_team_epoch BIGINT;
ALTER TABLE handoffs ADD COLUMN to_email TEXT;
ALTER TABLE handoffs ADD COLUMN to_email_key TEXT;
ALTER TABLE handoffs ADD COLUMN reason TEXT;
UPDATE handoffs SET to_user_id = (SELECT r.user_id FROM handoff_recipients r
    WHERE r.handoff_id = handoffs.id AND r.position = 0);
DROP TABLE handoff_recipients;
CREATE INDEX handoffs_to_user ON handoffs (to_user_id, created_at, id);
CREATE INDEX handoffs_to_team ON handoffs (to_team_id, created_at, id);
CREATE INDEX handoffs_to_email ON handoffs (to_email_key, created_at, id);
CREATE INDEX handoffs_by_claimer ON handoffs (claimed_by);

-- Fingerprint of the team key of the current epoch, as the newest roster says.
ALTER TABLE teams ADD COLUMN key_fp BYTEA;

-- Who of a team does not want it (SPEC T10); they may still claim.
CREATE TABLE handoff_declines (
    handoff_id TEXT NOT NULL REFERENCES handoffs (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    at BIGINT NOT NULL,
    PRIMARY KEY (handoff_id, user_id)
);

-- seq is the number of the event that says that it was written.
CREATE TABLE comments (
    handoff_id TEXT NOT NULL REFERENCES handoffs (id),
    seq BIGINT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    author TEXT NOT NULL REFERENCES users (id),
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (handoff_id, seq)
);
