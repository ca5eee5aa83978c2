-- The last notice of each thread to each target, with the message that shows it there.
CREATE TABLE notice (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version    BIGINT NOT NULL DEFAULT 1, -- counts the thread's notices
    forge      TEXT COLLATE "C" NOT NULL,
    repo       BIGINT NOT NULL,
    target     TEXT COLLATE "C" NOT NULL, -- as in [notices.NAME]
    thread     TEXT COLLATE "C" NOT NULL,
    hash       TEXT COLLATE "C" NOT NULL, -- of what the notice says
    body       TEXT NOT NULL, -- JSON
    state      TEXT COLLATE "C" NOT NULL CHECK (state IN ('queued', 'sending', 'done', 'dead', 'dropped')),
    step       TEXT COLLATE "C" NOT NULL DEFAULT '', -- the request that was last about to be sent
    tried      BIGINT NOT NULL DEFAULT 0, -- the version that it was about
    attempts   INTEGER NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    not_before BIGINT NOT NULL,
    ended_at   BIGINT,
    note       TEXT NOT NULL DEFAULT '',
    message    TEXT NOT NULL DEFAULT '', -- its id at the target
    shown      TEXT COLLATE "C" NOT NULL DEFAULT '', -- hash of what it shows
    told       TEXT COLLATE "C" NOT NULL DEFAULT '', -- hash of the notice that people were last told of
    CHECK ((ended_at IS NULL) = (state IN ('queued', 'sending')))
) WITH (fillfactor = 85);

CREATE UNIQUE INDEX notice_thread ON notice (forge, repo, target, thread);
CREATE INDEX notice_line ON notice (target, id) WHERE ended_at IS NULL;
CREATE INDEX notice_not_before ON notice (not_before) WHERE ended_at IS NULL;
CREATE INDEX notice_age ON notice (ended_at) WHERE ended_at IS NOT NULL;
