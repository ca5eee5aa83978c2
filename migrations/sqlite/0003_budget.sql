-- What an installation has used of its forge's limits.
CREATE TABLE budget (
    forge        TEXT NOT NULL,
    installation INTEGER NOT NULL,
    spent        TEXT NOT NULL, -- JSON
    parked_until INTEGER NOT NULL,
    PRIMARY KEY (forge, installation)
) STRICT, WITHOUT ROWID;
