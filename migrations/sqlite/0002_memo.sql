-- Small things that the program itself has to remember, such as how far it has
-- caught up with a forge.
CREATE TABLE memo (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
