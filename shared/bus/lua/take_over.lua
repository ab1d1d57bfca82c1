-- Make a connection the owner of a session, tell the former one, return the record. Refused: 'late' when its
-- client no longer waits, 'fenced' when somebody who asked later owns the session already.
-- KEYS: session, audio, results, offsets
-- ARGV: ttl_s, connection_id, ticket, how long it is good for (microseconds), takeover frame,
--       then protocol, passage, tenant if only such a session may be taken
local state = redis.call('HMGET', KEYS[1], 'connection_id', 'generation', 'keep_s')
local former, ttl = state[1], state[3] or ARGV[1]
if not former then return false end
local ticket = tonumber(ARGV[3])
local now = redis.call('TIME')
if tonumber(now[1]) * 1000000 + tonumber(now[2]) > ticket + tonumber(ARGV[4]) then return 'late' end
local generation = tonumber(state[2] or 0)
if generation > ticket or (generation == ticket and former ~= ARGV[2]) then return 'fenced' end
if ARGV[6] then
  local kind = redis.call('HMGET', KEYS[1], 'protocol', 'passage', 'tenant')
  if kind[1] ~= ARGV[6] or kind[2] ~= ARGV[7] or kind[3] ~= ARGV[8] then
    return redis.call('HGETALL', KEYS[1])
  end
end
redis.call('HSET', KEYS[1], 'connection_id', ARGV[2], 'generation', ARGV[3])
for i = 1, 4 do redis.call('EXPIRE', KEYS[i], ttl) end
if former ~= ARGV[2] then
  redis.call('PUBLISH', 'results:' .. former, ARGV[5])
end
return redis.call('HGETALL', KEYS[1])
