-- News of each account for its live connections, numbered without gaps in the order of the commits. Ids and kinds only.
-- No reference to users: its check would lock a row that others lock before their counter, and so the other way round.

CREATE TABLE news_counters (
    user_id TEXT PRIMARY KEY,
    seq BIGINT NOT NULL
);

CREATE TABLE news (
    user_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    handoff_id TEXT NOT NULL,
    event_seq BIGINT NOT NULL,
    PRIMARY KEY (user_id, seq)
);
CREATE INDEX news_by_time ON news (at);
