-- Devices that come and go (SPEC A1, A3).
ALTER TABLE users ADD COLUMN keyring BYTEA;
ALTER TABLE users ADD COLUMN device_events BIGINT NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX devices_by_public ON devices (user_id, device_key);

-- The root of an epoch, locked for a device that stayed when it began.
CREATE TABLE root_wraps (
    user_id TEXT NOT NULL REFERENCES users (id),
    epoch BIGINT NOT NULL,
    device_id TEXT NOT NULL,
    wrap BYTEA NOT NULL,
    PRIMARY KEY (user_id, epoch, device_id)
);

-- What happened to an account's devices, numbered without gaps: what each of them is told.
CREATE TABLE device_events (
    user_id TEXT NOT NULL REFERENCES users (id),
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    device_id TEXT NOT NULL,
    by_device TEXT NOT NULL,
    PRIMARY KEY (user_id, seq)
);

-- News of devices: which one. Then handoff_id is empty.
ALTER TABLE news ADD COLUMN device_id TEXT;
