-- Reactions name their item now. Those that wait are lost: they only acknowledge.
DELETE FROM effect WHERE key LIKE 'react/%';
