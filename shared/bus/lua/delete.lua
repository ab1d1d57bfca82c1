-- Forget a session whoever owns it, and tell the owner. A mark stays behind for writes that are on their way:
-- they must not bring the session back. Returns the last epoch and the owner.
-- KEYS: session, audio, results, offsets   ARGV: tenant, takeover frame, life of the mark (s)
local state = redis.call('HMGET', KEYS[1], 'connection_id', 'tenant', 'generation', 'epoch')
if not state[1] or state[2] ~= ARGV[1] then return false end
local now = redis.call('TIME')
local now_us = tonumber(now[1]) * 1000000 + tonumber(now[2])
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
local generation = string.format('%.0f', math.max(now_us, tonumber(state[3] or 0) + 1))
redis.call('HSET', KEYS[1], 'deleted', 1, 'generation', generation)
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('PUBLISH', 'results:' .. state[1], ARGV[2])
return {state[4], state[1]}
