-- Adds one batch to a tenant's day, once: a call that is repeated changes nothing.
-- KEYS: mark of the batch, hash of the day. ARGV: life of the hash (s), then field and number by turns.
if not redis.call('SET', KEYS[1], 1, 'NX', 'EX', 3600) then return 0 end
for at = 2, #ARGV, 2 do redis.call('HINCRBY', KEYS[2], ARGV[at], ARGV[at + 1]) end
redis.call('EXPIRE', KEYS[2], ARGV[1])
return 1
