-- Projects, their members and records (docs/protocol.md §5, Projects). Sessions and handoffs name a project without a reference: they were
-- made before there were projects, and tables are copied in the order of their creation.

CREATE TABLE projects (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    -- Helps people and clients to recognise the repository. It never gives access to anything.
    git_remote TEXT,
    -- The last number that an entry of the knowledge base was given.
    kb_number BIGINT NOT NULL,
    created_by TEXT NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL
);
CREATE INDEX projects_by_creator ON projects (created_by);

-- The one truth of who may read and write a project.
CREATE TABLE project_members (
    project_id TEXT NOT NULL REFERENCES projects (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    role TEXT NOT NULL CHECK (role IN ('admin', 'member')),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (project_id, user_id)
);
CREATE INDEX project_members_by_user ON project_members (user_id);

-- A deleted record stays known as deleted, without title and body, so that a handoff that refers to it can say so.
CREATE TABLE records (
    project_id TEXT NOT NULL REFERENCES projects (id),
    kind TEXT NOT NULL CHECK (kind IN ('ticket', 'persona', 'kb_entry', 'wiki_page')),
    ref_id TEXT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT,
    version BIGINT NOT NULL,
    created_by TEXT NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    PRIMARY KEY (project_id, kind, ref_id),
    CHECK ((kind = 'ticket') = (state IS NOT NULL)),
    CHECK (state IN ('open', 'closed'))
);

ALTER TABLE sessions ADD COLUMN project_id TEXT;
ALTER TABLE sessions ADD COLUMN ticket TEXT;
ALTER TABLE sessions ADD COLUMN persona TEXT;
CREATE INDEX sessions_by_project ON sessions (project_id) WHERE project_id IS NOT NULL;
ALTER TABLE handoffs ADD COLUMN project_id TEXT;
