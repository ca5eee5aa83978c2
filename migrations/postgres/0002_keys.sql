-- Timers bear the name of their owner; three of them were numbers that no item has.
ALTER TABLE timer ADD COLUMN key TEXT COLLATE "C"; -- item/12, repository, policy or organization

UPDATE timer SET key = CASE item
    WHEN 0 THEN 'policy'
    WHEN 9223372036854775806 THEN 'repository'
    WHEN 9223372036854775807 THEN 'organization'
    ELSE 'item/' || item
END;

ALTER TABLE timer DROP CONSTRAINT timer_pkey;
ALTER TABLE timer DROP COLUMN item;
ALTER TABLE timer ALTER COLUMN key SET NOT NULL;
ALTER TABLE timer ADD PRIMARY KEY (forge, repo, key);

-- The effects of status comments were called boards.
UPDATE effect SET key = 'status/' || substr(key, 7) WHERE key LIKE 'board/%';
