-- Rows that delivery metrics are computed from: no users' texts.
CREATE TABLE insight (
    forge TEXT COLLATE "C" NOT NULL,
    repo  BIGINT NOT NULL,
    kind  TEXT COLLATE "C" NOT NULL
        CHECK (kind IN ('terms', 'unit', 'change', 'deployment', 'gate', 'incident')),
    at    BIGINT NOT NULL,           -- the last moment that concerns a window; the greatest while open
    owner TEXT COLLATE "C" NOT NULL, -- such as #12, or a deployment's id
    part  TEXT COLLATE "C" NOT NULL, -- such as an environment
    body  TEXT NOT NULL,             -- JSON
    PRIMARY KEY (forge, repo, kind, owner, part)
) WITH (fillfactor = 85);

-- A window is read as one range.
CREATE INDEX insight_at ON insight (forge, repo, kind, at, owner, part);
