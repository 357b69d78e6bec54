-- Pairings (docs/protocol.md §6): what the relay carries from one device to another, and for how long.
-- The server's own 16 bytes, which stand in every key of a pairing.
CREATE TABLE server_identity (
    only_one BIGINT PRIMARY KEY CHECK (only_one = 1),
    server_id BYTEA NOT NULL
);

-- A row outlives its content: for a day it says how it ended, and keeps its nameplate from being used again.
CREATE TABLE pairings (
    id TEXT PRIMARY KEY,
    version BIGINT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    device_id TEXT NOT NULL,
    purpose TEXT NOT NULL CHECK (purpose IN ('handoff', 'link')),
    nameplate TEXT NOT NULL UNIQUE,
    chat_tag BYTEA,
    state TEXT NOT NULL CHECK (state IN ('issued', 'claimed', 'revoked', 'expired')),
    reason TEXT,
    failures BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    lease_token BYTEA,
    lease_same_account BOOLEAN NOT NULL,
    lease_until BIGINT,
    confirmed_at BIGINT,
    confirmed_hash BYTEA,
    refused BOOLEAN NOT NULL,
    claim_token BYTEA,
    claim_hash BYTEA,
    acknowledged_at BIGINT,
    closed_at BIGINT,
    closed TEXT,
    fetch_token BYTEA,
    returned_hash BYTEA,
    linked BOOLEAN NOT NULL DEFAULT FALSE,
    CHECK ((state = 'issued') = (ended_at IS NULL)),
    CHECK ((state = 'claimed') = (claim_token IS NOT NULL)),
    CHECK ((closed IS NULL) = (closed_at IS NULL))
);
CREATE INDEX pairings_by_user ON pairings (user_id, created_at);
CREATE INDEX pairings_due ON pairings (expires_at) WHERE state = 'issued';
CREATE INDEX pairings_open ON pairings (ended_at) WHERE state = 'claimed' AND closed IS NULL;
CREATE INDEX pairings_ended ON pairings (ended_at);

-- Sealed or blinded, each at most 64 KiB, gone as soon as it was taken.
CREATE TABLE pairing_messages (
    pairing_id TEXT NOT NULL REFERENCES pairings (id),
    kind TEXT NOT NULL CHECK (kind IN ('code', 'link', 'answer', 'release', 'acknowledgement', 'returned')),
    bytes BYTEA NOT NULL,
    PRIMARY KEY (pairing_id, kind)
);

-- A bundle that a pairing owns. Its kind stands as 'snapshot' in the row above, since SQLite cannot widen a CHECK under
-- references: such a bundle goes whole when it is let go, as a snapshot does.
ALTER TABLE bundles ADD COLUMN pairing_id TEXT;
CREATE UNIQUE INDEX bundles_by_pairing ON bundles (pairing_id);
