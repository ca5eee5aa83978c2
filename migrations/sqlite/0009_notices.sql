-- The last notice of each thread to each target, with the message that shows it there.
CREATE TABLE notice (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    version    INTEGER NOT NULL DEFAULT 1, -- counts the thread's notices
    forge      TEXT NOT NULL,
    repo       INTEGER NOT NULL,
    target     TEXT NOT NULL, -- as in [notices.NAME]
    thread     TEXT NOT NULL,
    hash       TEXT NOT NULL, -- of what the notice says
    body       TEXT NOT NULL, -- JSON
    state      TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'done', 'dead', 'dropped')),
    step       TEXT NOT NULL DEFAULT '', -- the request that was last about to be sent
    tried      INTEGER NOT NULL DEFAULT 0, -- the version that it was about
    attempts   INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    ended_at   INTEGER,
    note       TEXT NOT NULL DEFAULT '',
    message    TEXT NOT NULL DEFAULT '', -- its id at the target
    shown      TEXT NOT NULL DEFAULT '', -- hash of what it shows
    told       TEXT NOT NULL DEFAULT '', -- hash of the notice that people were last told of
    CHECK ((ended_at IS NULL) = (state IN ('queued', 'sending')))
) STRICT;

CREATE UNIQUE INDEX notice_thread ON notice (forge, repo, target, thread);
CREATE INDEX notice_line ON notice (target, id, not_before) WHERE ended_at IS NULL;
CREATE INDEX notice_not_before ON notice (not_before) WHERE ended_at IS NULL;
CREATE INDEX notice_age ON notice (ended_at) WHERE ended_at IS NOT NULL;
