-- How often the data of a repository changed: a page that was made of this version is still right.
-- A row stays when the data is erased, so that no version is given twice.
CREATE TABLE data_version (
    forge   TEXT NOT NULL,
    repo    INTEGER NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (forge, repo)
) STRICT, WITHOUT ROWID;

-- More kinds of rows: overrides, what each environment runs now, and the gates that are kept up to date.
CREATE TABLE insight_of (
    forge TEXT NOT NULL,
    repo  INTEGER NOT NULL,
    kind  TEXT NOT NULL
        CHECK (kind IN ('terms', 'unit', 'change', 'deployment', 'gate', 'incident', 'override',
            'environment', 'live_gate')),
    at    INTEGER NOT NULL, -- the last moment that concerns a window; the greatest while open
    owner TEXT NOT NULL,    -- such as #12, or a deployment's id
    part  TEXT NOT NULL,    -- such as an environment
    body  TEXT NOT NULL,    -- JSON
    PRIMARY KEY (forge, repo, kind, at, owner, part)
) STRICT, WITHOUT ROWID;

INSERT INTO insight_of SELECT forge, repo, kind, at, owner, part, body FROM insight;
DROP TABLE insight;
ALTER TABLE insight_of RENAME TO insight;
CREATE UNIQUE INDEX insight_owner ON insight (forge, repo, kind, owner, part);
