-- Forget a session, at once or in keep_s seconds; only its owner can.
-- KEYS: session, audio, results, offsets   ARGV: connection_id, keep_s
if redis.call('HGET', KEYS[1], 'connection_id') ~= ARGV[1] then return 0 end
if tonumber(ARGV[2]) <= 0 then return redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4]) end
redis.call('HSET', KEYS[1], 'keep_s', ARGV[2])
for i = 1, 4 do redis.call('EXPIRE', KEYS[i], ARGV[2]) end
return 1
