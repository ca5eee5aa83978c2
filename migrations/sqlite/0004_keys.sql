-- Timers bear the name of their owner; three of them were numbers that no item has.
CREATE TABLE timer_of (
    forge TEXT NOT NULL,
    repo  INTEGER NOT NULL,
    key   TEXT NOT NULL, -- item/12, repository, policy or organization
    at    INTEGER NOT NULL,
    PRIMARY KEY (forge, repo, key)
) STRICT, WITHOUT ROWID;

INSERT INTO timer_of (forge, repo, key, at)
SELECT forge, repo,
    CASE item
        WHEN 0 THEN 'policy'
        WHEN 9223372036854775806 THEN 'repository'
        WHEN 9223372036854775807 THEN 'organization'
        ELSE 'item/' || item
    END,
    at
FROM timer;

DROP TABLE timer;
ALTER TABLE timer_of RENAME TO timer;
CREATE INDEX timer_at ON timer (at);

-- The effects of status comments were called boards.
UPDATE effect SET key = 'status/' || substr(key, 7) WHERE key LIKE 'board/%';
