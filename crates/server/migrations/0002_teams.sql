-- Teams (docs/protocol.md §2, Teams). Handoffs name a team without a reference: they were made before there were teams, and tables are
-- copied in the order of their creation.

CREATE TABLE teams (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    version BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

-- The signed chain: the one truth of membership.
CREATE TABLE team_rosters (
    team_id TEXT NOT NULL REFERENCES teams (id),
    version BIGINT NOT NULL,
    roster BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (team_id, version)
);

-- An index of the newest roster, written with it.
CREATE TABLE team_members (
    team_id TEXT NOT NULL REFERENCES teams (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    role TEXT NOT NULL,
    PRIMARY KEY (team_id, user_id)
);
CREATE INDEX team_members_by_user ON team_members (user_id);

-- The team key of an epoch, locked for each member that it was given to.
CREATE TABLE team_keys (
    team_id TEXT NOT NULL REFERENCES teams (id),
    epoch BIGINT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    wrap BYTEA NOT NULL,
    PRIMARY KEY (team_id, epoch, user_id)
);
