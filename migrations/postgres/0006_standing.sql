-- How often the data of a repository changed: a page that was made of this version is still right.
-- A row stays when the data is erased, so that no version is given twice.
CREATE TABLE data_version (
    forge   TEXT COLLATE "C" NOT NULL,
    repo    BIGINT NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (forge, repo)
) WITH (fillfactor = 50);

-- More kinds of rows: overrides, what each environment runs now, and the gates that are kept up to date.
ALTER TABLE insight DROP CONSTRAINT insight_kind_check;
ALTER TABLE insight ADD CONSTRAINT insight_kind_check
    CHECK (kind IN ('terms', 'unit', 'change', 'deployment', 'gate', 'incident', 'override', 'environment', 'live_gate'));
