-- Times are milliseconds since 1970-01-01 UTC. Numbers that a forge gives
-- (repository, installation, item) are unsigned 64-bit values kept by their
-- bits, so that one above 2^63 shows as negative here.

-- ── Inbox ──

-- AUTOINCREMENT: a number is never given twice, even when the newest row was pruned.
CREATE TABLE delivery (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    forge        TEXT NOT NULL,
    hook         TEXT NOT NULL,
    delivery     TEXT NOT NULL, -- a UUID of version 1 with its time first
    event        TEXT NOT NULL,
    action       TEXT,
    repo         INTEGER,
    -- For an alert the `owner/name` that it is for; it waits until that has a number.
    target       TEXT COLLATE NOCASE,
    installation INTEGER,
    received_at  INTEGER NOT NULL,
    decided_at   INTEGER,
    state        TEXT NOT NULL
        CHECK (state IN ('pending', 'done', 'ignored', 'quarantined', 'dead', 'dropped')),
    note         TEXT NOT NULL DEFAULT '',
    attempts     INTEGER NOT NULL DEFAULT 0
) STRICT;

-- The delivery id leads, so that this index also finds a delivery by its id alone.
CREATE UNIQUE INDEX delivery_identity ON delivery (delivery, hook, forge);
CREATE INDEX delivery_by_state ON delivery (state, seq);
CREATE INDEX delivery_homeless ON delivery (forge, target) WHERE target IS NOT NULL AND repo IS NULL;
-- What may be pruned. An operator's drop carries no time of its own.
CREATE INDEX delivery_age ON delivery (coalesce(decided_at, received_at))
    WHERE state IN ('done', 'ignored', 'dropped');

-- Apart from `delivery`: deciding rewrites the row, and should not rewrite the body.
CREATE TABLE delivery_body (
    seq  INTEGER PRIMARY KEY REFERENCES delivery (seq) ON DELETE CASCADE,
    size INTEGER NOT NULL, -- bytes before packing
    body BLOB NOT NULL     -- one zstd frame
) STRICT;

-- ── Repositories ──

CREATE TABLE repository (
    forge        TEXT NOT NULL,
    repo         INTEGER NOT NULL,
    full_name    TEXT NOT NULL,
    installation INTEGER,
    active       INTEGER NOT NULL CHECK (active IN (0, 1)),
    PRIMARY KEY (forge, repo)
) STRICT;

CREATE INDEX repository_by_installation ON repository (forge, installation, repo);

-- Every name that a repository ever had; a name that is given anew is the newer one's.
CREATE TABLE repository_name (
    forge TEXT NOT NULL,
    name  TEXT NOT NULL COLLATE NOCASE,
    repo  INTEGER NOT NULL,
    PRIMARY KEY (forge, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE fact (
    forge TEXT NOT NULL,
    repo  INTEGER NOT NULL,
    key   TEXT NOT NULL,
    body  TEXT NOT NULL, -- JSON
    PRIMARY KEY (forge, repo, key)
) STRICT;

CREATE TABLE item (
    forge   TEXT NOT NULL,
    repo    INTEGER NOT NULL,
    item    INTEGER NOT NULL,
    phase   TEXT,
    since   INTEGER,
    derived TEXT NOT NULL, -- JSON
    PRIMARY KEY (forge, repo, item)
) STRICT;

-- `n` keeps the order of transitions that share a moment: forges count seconds.
CREATE TABLE transition (
    forge  TEXT NOT NULL,
    repo   INTEGER NOT NULL,
    item   INTEGER NOT NULL,
    n      INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    phase  TEXT,
    reason TEXT NOT NULL, -- JSON
    PRIMARY KEY (forge, repo, item, n)
) STRICT, WITHOUT ROWID;

-- ── Outbox ──

-- A row without `ended_at` is live: it is queued, or a send of it is in doubt.
CREATE TABLE effect (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    version      INTEGER NOT NULL DEFAULT 1,
    forge        TEXT NOT NULL,
    repo         INTEGER NOT NULL,
    key          TEXT NOT NULL,
    installation INTEGER NOT NULL,
    lane         INTEGER NOT NULL CHECK (lane IN (0, 1, 2)), -- safety, conversation, labels
    effect       TEXT NOT NULL, -- JSON
    state        TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'done', 'dead', 'dropped')),
    attempts     INTEGER NOT NULL DEFAULT 0,
    created_at   INTEGER NOT NULL,
    not_before   INTEGER NOT NULL,
    ended_at     INTEGER,
    note         TEXT NOT NULL DEFAULT '',
    cause        INTEGER,
    CHECK ((ended_at IS NULL) = (state IN ('queued', 'sending')))
) STRICT;

CREATE INDEX effect_key ON effect (forge, repo, key);
CREATE UNIQUE INDEX effect_live_key ON effect (forge, repo, key) WHERE ended_at IS NULL;
-- The lines in which effects wait: by lane, then oldest first, for each installation.
CREATE INDEX effect_line ON effect (forge, installation, lane, id, not_before) WHERE ended_at IS NULL;
CREATE INDEX effect_not_before ON effect (not_before) WHERE ended_at IS NULL;
CREATE INDEX effect_dead ON effect (id) WHERE state = 'dead';
CREATE INDEX effect_age ON effect (ended_at) WHERE state IN ('done', 'dropped');

-- ── Timers ──

CREATE TABLE timer (
    forge TEXT NOT NULL,
    repo  INTEGER NOT NULL,
    item  INTEGER NOT NULL,
    at    INTEGER NOT NULL,
    PRIMARY KEY (forge, repo, item)
) STRICT, WITHOUT ROWID;

CREATE INDEX timer_at ON timer (at);
