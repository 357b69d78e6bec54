-- A plan may change more than once: an account's event is one of a moment, and says what it changed.
CREATE TABLE account_log (
    user_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (user_id, at, kind)
);
INSERT INTO account_log (user_id, at, kind, actor, detail) SELECT user_id, at, kind, actor, '' FROM account_events;
DROP TABLE account_events;
ALTER TABLE account_log RENAME TO account_events;
