-- Times are milliseconds since 1970-01-01 UTC, but for those of leases, which
-- are the server's own. Numbers that a forge gives (repository, installation,
-- item) are unsigned 64-bit values kept by their bits, so that one above 2^63
-- shows as negative here. Text sorts by its bytes.

-- ── Inbox ──

CREATE TABLE delivery (
    seq          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    forge        TEXT COLLATE "C" NOT NULL,
    hook         TEXT COLLATE "C" NOT NULL,
    delivery     TEXT COLLATE "C" NOT NULL, -- a UUID of version 1 with its time first
    event        TEXT NOT NULL,
    action       TEXT,
    repo         BIGINT,
    -- For an alert the `owner/name` that it is for; it waits until that has a number.
    target       TEXT COLLATE "C",
    installation BIGINT,
    received_at  BIGINT NOT NULL,
    decided_at   BIGINT,
    state        TEXT COLLATE "C" NOT NULL
        CHECK (state IN ('pending', 'done', 'ignored', 'quarantined', 'dead', 'dropped')),
    note         TEXT NOT NULL DEFAULT '',
    attempts     INTEGER NOT NULL DEFAULT 0,
    -- The lease under which it is decided: see `lease`. Below 0: none yet.
    kind         SMALLINT NOT NULL GENERATED ALWAYS AS
        (CASE WHEN repo IS NOT NULL THEN 1 WHEN target IS NULL THEN 0 ELSE -1 END) STORED,
    line         BIGINT NOT NULL GENERATED ALWAYS AS (coalesce(repo, 0)) STORED
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02);

-- The delivery id leads, so that this index also finds a delivery by its id alone.
CREATE UNIQUE INDEX delivery_identity ON delivery (delivery, hook, forge);
CREATE INDEX delivery_pending ON delivery (seq) WHERE state = 'pending' AND kind >= 0;
CREATE INDEX delivery_line ON delivery (forge, kind, line, seq) WHERE state = 'pending' AND kind >= 0;
CREATE INDEX delivery_homeless ON delivery (forge, lower(target)) WHERE target IS NOT NULL AND repo IS NULL;
-- What is let go of with a repository.
CREATE INDEX delivery_of_repository ON delivery (forge, repo) WHERE repo IS NOT NULL;
-- What an operator looks for; few rows are in these states.
CREATE INDEX delivery_odd ON delivery (state, seq) WHERE state IN ('quarantined', 'dead', 'dropped');
-- What may be pruned. An operator's drop carries no time of its own.
CREATE INDEX delivery_age ON delivery (coalesce(decided_at, received_at), seq)
    WHERE state IN ('done', 'ignored', 'dropped');

-- Apart from `delivery`: deciding rewrites the row, and should not rewrite the
-- body. A body goes with its delivery, in the same statement.
CREATE TABLE delivery_body (
    seq  BIGINT PRIMARY KEY,
    size BIGINT NOT NULL, -- bytes before packing
    body BYTEA NOT NULL   -- one zstd frame
);
-- It is packed already.
ALTER TABLE delivery_body ALTER COLUMN body SET STORAGE EXTERNAL;

-- ── Repositories ──

CREATE TABLE repository (
    forge        TEXT COLLATE "C" NOT NULL,
    repo         BIGINT NOT NULL,
    full_name    TEXT NOT NULL,
    installation BIGINT,
    active       BOOLEAN NOT NULL,
    PRIMARY KEY (forge, repo)
);

CREATE INDEX repository_by_installation ON repository (forge, installation, repo);

-- Every name that a repository ever had, in small letters; a name that is given
-- anew is the newer one's.
CREATE TABLE repository_name (
    forge TEXT COLLATE "C" NOT NULL,
    name  TEXT COLLATE "C" NOT NULL,
    repo  BIGINT NOT NULL,
    PRIMARY KEY (forge, name)
);

CREATE TABLE fact (
    forge TEXT COLLATE "C" NOT NULL,
    repo  BIGINT NOT NULL,
    key   TEXT COLLATE "C" NOT NULL,
    body  TEXT NOT NULL, -- JSON
    PRIMARY KEY (forge, repo, key)
) WITH (fillfactor = 85);

CREATE TABLE item (
    forge   TEXT COLLATE "C" NOT NULL,
    repo    BIGINT NOT NULL,
    item    BIGINT NOT NULL,
    phase   TEXT,
    since   BIGINT,
    derived TEXT NOT NULL, -- JSON
    PRIMARY KEY (forge, repo, item)
) WITH (fillfactor = 85);

-- `n` keeps the order of transitions that share a moment: forges count seconds.
CREATE TABLE transition (
    forge  TEXT COLLATE "C" NOT NULL,
    repo   BIGINT NOT NULL,
    item   BIGINT NOT NULL,
    n      BIGINT NOT NULL,
    at     BIGINT NOT NULL,
    phase  TEXT,
    reason TEXT NOT NULL, -- JSON
    PRIMARY KEY (forge, repo, item, n)
);

-- ── Outbox ──

-- A row without `ended_at` is live: it is queued, or a send of it is in doubt.
CREATE TABLE effect (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version      BIGINT NOT NULL DEFAULT 1,
    forge        TEXT COLLATE "C" NOT NULL,
    repo         BIGINT NOT NULL,
    key          TEXT COLLATE "C" NOT NULL,
    installation BIGINT NOT NULL,
    lane         SMALLINT NOT NULL CHECK (lane IN (0, 1, 2)), -- safety, conversation, labels
    effect       TEXT NOT NULL, -- JSON
    state        TEXT COLLATE "C" NOT NULL
        CHECK (state IN ('queued', 'sending', 'done', 'dead', 'dropped')),
    attempts     INTEGER NOT NULL DEFAULT 0,
    created_at   BIGINT NOT NULL,
    not_before   BIGINT NOT NULL,
    ended_at     BIGINT,
    note         TEXT NOT NULL DEFAULT '',
    cause        BIGINT,
    CHECK ((ended_at IS NULL) = (state IN ('queued', 'sending')))
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02);

CREATE INDEX effect_key ON effect (forge, repo, key);
CREATE UNIQUE INDEX effect_live_key ON effect (forge, repo, key) WHERE ended_at IS NULL;
-- The lines in which effects wait: by lane, then oldest first, for each installation.
CREATE INDEX effect_line ON effect (forge, installation, lane, id) WHERE ended_at IS NULL;
CREATE INDEX effect_not_before ON effect (not_before) WHERE ended_at IS NULL;
CREATE INDEX effect_dead ON effect (id) WHERE state = 'dead';
CREATE INDEX effect_age ON effect (ended_at, id) WHERE state IN ('done', 'dropped');

-- ── Timers ──

CREATE TABLE timer (
    forge TEXT COLLATE "C" NOT NULL,
    repo  BIGINT NOT NULL,
    item  BIGINT NOT NULL,
    at    BIGINT NOT NULL,
    PRIMARY KEY (forge, repo, item)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX timer_at ON timer (at);

-- ── The program itself ──

-- Small things that it has to remember, such as how far it has caught up with a forge.
CREATE TABLE memo (
    name  TEXT COLLATE "C" PRIMARY KEY,
    value TEXT NOT NULL
);

-- ── Replicas ──

-- Who may decide for a repository or send in the name of an installation. The
-- epoch counts the owners: what was read under one epoch is not written under
-- another. A row whose time is over belongs to whoever takes it.
CREATE TABLE lease (
    forge TEXT COLLATE "C" NOT NULL,
    kind  SMALLINT NOT NULL, -- 0: the forge's other events, 1: a repository, 2: an installation's writes
    id    BIGINT NOT NULL,   -- 0, repository, or installation
    owner BIGINT NOT NULL,   -- a replica's random number
    epoch BIGINT NOT NULL,
    until TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (forge, kind, id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX lease_by_owner ON lease (owner);

-- What an installation has used of the forge's limits.
CREATE TABLE budget (
    forge        TEXT COLLATE "C" NOT NULL,
    installation BIGINT NOT NULL,
    spent        TEXT NOT NULL,   -- JSON
    parked_until BIGINT NOT NULL,
    PRIMARY KEY (forge, installation)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
