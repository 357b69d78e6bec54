-- What somebody keeps is summed up with each handoff. A row's bytes lie behind its sealed parts, which are large: the sum is
-- read from the indexes alone.

DROP INDEX bundles_by_holder;
DROP INDEX bundles_by_owner;
CREATE INDEX bundles_by_holder ON bundles (holder, bytes, id);
CREATE INDEX bundles_by_owner ON bundles (owner, holder, bytes, id);
