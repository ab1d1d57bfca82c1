-- Make a connection the owner of a session, tell the former one, return the record.
-- KEYS: session, audio, results, offsets
-- ARGV: ttl_s, connection_id, takeover frame, then protocol, passage, tenant if only such a session may be taken
local former = redis.call('HGET', KEYS[1], 'connection_id')
if not former then return false end
if ARGV[4] then
  local kind = redis.call('HMGET', KEYS[1], 'protocol', 'passage', 'tenant')
  if kind[1] ~= ARGV[4] or kind[2] ~= ARGV[5] or kind[3] ~= ARGV[6] then
    return redis.call('HGETALL', KEYS[1])
  end
end
redis.call('HSET', KEYS[1], 'connection_id', ARGV[2])
for i = 1, 4 do redis.call('EXPIRE', KEYS[i], ARGV[1]) end
if former ~= ARGV[2] then
  redis.call('PUBLISH', 'results:' .. former, ARGV[3])
end
return redis.call('HGETALL', KEYS[1])
