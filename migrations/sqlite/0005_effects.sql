-- Reactions name their item now. Those that wait are lost: they only acknowledge.
DELETE FROM effect WHERE key LIKE 'react/%';

-- Check runs are reports.
UPDATE effect SET effect = '{"Report":' || substr(effect, 13) WHERE substr(effect, 1, 12) = '{"SetCheck":';
