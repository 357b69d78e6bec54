-- One text for SQLite and PostgreSQL: TEXT ids, BIGINT unix milliseconds, BYTEA bytes (docs/decisions, style of the store).
-- Ids that a client draws (sessions, packs, devices) are kept per owner, so that nobody learns of another's by a collision.

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL,
    email_key TEXT NOT NULL,
    email_verified BOOLEAN NOT NULL,
    name TEXT NOT NULL,
    owner BOOLEAN NOT NULL,
    plan TEXT,
    card_seq BIGINT NOT NULL,
    recovery_root BYTEA NOT NULL,
    recovery_auth_hash BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX users_by_verified_email ON users (email_key) WHERE email_verified;

CREATE TABLE key_cards (
    user_id TEXT NOT NULL REFERENCES users (id),
    seq BIGINT NOT NULL,
    card BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, seq)
);

CREATE TABLE devices (
    user_id TEXT NOT NULL REFERENCES users (id),
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    device_key BYTEA NOT NULL,
    token_hash BYTEA NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT,
    PRIMARY KEY (user_id, id)
);

CREATE TABLE invites (
    id TEXT PRIMARY KEY,
    token_hash BYTEA NOT NULL UNIQUE,
    user_id TEXT NOT NULL UNIQUE,
    email TEXT,
    vouched BOOLEAN NOT NULL,
    owner BOOLEAN NOT NULL,
    invited_by TEXT REFERENCES users (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_by TEXT,
    CHECK (owner OR email IS NOT NULL)
);

CREATE TABLE account_events (
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (user_id, kind)
);

CREATE TABLE packs (
    owner TEXT NOT NULL REFERENCES users (id),
    id TEXT NOT NULL,
    sha256 BYTEA NOT NULL,
    len BIGINT NOT NULL CHECK (len > 0),
    state TEXT NOT NULL CHECK (state IN ('live', 'dying', 'gone')),
    refs BIGINT NOT NULL CHECK (refs >= 0),
    created_at BIGINT NOT NULL,
    dying_at BIGINT,
    PRIMARY KEY (owner, id)
);
CREATE INDEX packs_unlisted ON packs (created_at) WHERE refs = 0;

CREATE TABLE bundles (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('snapshot', 'handoff')),
    owner TEXT NOT NULL REFERENCES users (id),
    holder TEXT REFERENCES users (id),
    session_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    envelope BYTEA NOT NULL,
    manifest BYTEA,
    preview BYTEA,
    bytes BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX bundles_by_holder ON bundles (holder);
CREATE INDEX bundles_by_owner ON bundles (owner);

CREATE TABLE bundle_packs (
    bundle_id TEXT NOT NULL REFERENCES bundles (id),
    position BIGINT NOT NULL,
    pack_owner TEXT NOT NULL,
    pack_id TEXT NOT NULL,
    PRIMARY KEY (bundle_id, position),
    FOREIGN KEY (pack_owner, pack_id) REFERENCES packs (owner, id)
);
CREATE INDEX bundle_packs_by_pack ON bundle_packs (pack_owner, pack_id);

CREATE TABLE wraps (
    bundle_id TEXT NOT NULL REFERENCES bundles (id),
    kind TEXT NOT NULL,
    recipient_id TEXT NOT NULL,
    key_fp BYTEA NOT NULL,
    epoch BIGINT NOT NULL,
    bytes BYTEA NOT NULL,
    PRIMARY KEY (bundle_id, kind, recipient_id)
);

CREATE TABLE sessions (
    owner TEXT NOT NULL REFERENCES users (id),
    id TEXT NOT NULL,
    bundle_id TEXT NOT NULL REFERENCES bundles (id),
    seq BIGINT NOT NULL,
    head_hash BYTEA NOT NULL,
    card TEXT NOT NULL,
    parent_session_id TEXT,
    handoff_id TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (owner, id)
);
CREATE INDEX sessions_by_owner ON sessions (owner, created_at, id);
CREATE INDEX sessions_by_bundle ON sessions (bundle_id);

CREATE TABLE reservations (
    handoff_id TEXT PRIMARY KEY,
    sender_id TEXT NOT NULL REFERENCES users (id),
    session_id TEXT NOT NULL,
    not_after BIGINT NOT NULL,
    reserved_until BIGINT NOT NULL
);

CREATE TABLE reservation_recipients (
    handoff_id TEXT NOT NULL REFERENCES reservations (handoff_id),
    position BIGINT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    PRIMARY KEY (handoff_id, position)
);

CREATE TABLE handoffs (
    id TEXT PRIMARY KEY,
    version BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'claimed', 'revoked', 'declined', 'expired')),
    sender_id TEXT NOT NULL REFERENCES users (id),
    session_id TEXT NOT NULL,
    bundle_id TEXT NOT NULL UNIQUE REFERENCES bundles (id),
    card TEXT NOT NULL,
    message TEXT NOT NULL,
    claim_check BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    viewed_at BIGINT,
    ended_at BIGINT,
    claimed_by TEXT REFERENCES users (id),
    claimed_session_id TEXT,
    CHECK ((state = 'pending') = (ended_at IS NULL)),
    CHECK ((state = 'claimed') = (claimed_by IS NOT NULL)),
    CHECK ((state = 'claimed') = (claimed_session_id IS NOT NULL))
);
CREATE INDEX handoffs_by_sender ON handoffs (sender_id, created_at, id);
CREATE INDEX handoffs_due ON handoffs (expires_at) WHERE state = 'pending';

CREATE TABLE handoff_recipients (
    handoff_id TEXT NOT NULL REFERENCES handoffs (id),
    position BIGINT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    PRIMARY KEY (handoff_id, position)
);
CREATE UNIQUE INDEX handoff_recipients_by_user ON handoff_recipients (user_id, handoff_id);

CREATE TABLE events (
    handoff_id TEXT NOT NULL REFERENCES handoffs (id),
    seq BIGINT NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    actor_type TEXT NOT NULL,
    at BIGINT NOT NULL,
    payload TEXT NOT NULL,
    previous BYTEA,
    hash BYTEA NOT NULL,
    PRIMARY KEY (handoff_id, seq)
);

CREATE TABLE outbox (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    run_at BIGINT NOT NULL,
    lease_until BIGINT,
    attempts BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE idempotency (
    user_id TEXT NOT NULL REFERENCES users (id),
    idempotency_key TEXT NOT NULL,
    request_hash BYTEA NOT NULL,
    route TEXT NOT NULL,
    answer TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, idempotency_key)
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);
