-- What a handoff refers to, as its sender signed it, and what of it its claimer could not be given; both JSON.

ALTER TABLE handoffs ADD COLUMN provenance TEXT;
ALTER TABLE handoffs ADD COLUMN dropped TEXT;
