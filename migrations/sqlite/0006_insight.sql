-- Rows that delivery metrics are computed from: no users' texts. `at` leads, because a window is
-- read as one range.
CREATE TABLE insight (
    forge TEXT NOT NULL,
    repo  INTEGER NOT NULL,
    kind  TEXT NOT NULL
        CHECK (kind IN ('terms', 'unit', 'change', 'deployment', 'gate', 'incident')),
    at    INTEGER NOT NULL, -- the last moment that concerns a window; the greatest while open
    owner TEXT NOT NULL,    -- such as #12, or a deployment's id
    part  TEXT NOT NULL,    -- such as an environment
    body  TEXT NOT NULL,    -- JSON
    PRIMARY KEY (forge, repo, kind, at, owner, part)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX insight_owner ON insight (forge, repo, kind, owner, part);
