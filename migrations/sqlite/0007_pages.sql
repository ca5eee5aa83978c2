-- The web pages count the items of a phase, and list the oldest and the newest of them.
CREATE INDEX item_by_phase ON item (forge, repo, phase, since, item) WHERE phase IS NOT NULL;
