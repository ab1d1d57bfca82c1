-- Forget a session; only its owner can.
-- KEYS: session, audio, results, offsets   ARGV: connection_id
if redis.call('HGET', KEYS[1], 'connection_id') ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
