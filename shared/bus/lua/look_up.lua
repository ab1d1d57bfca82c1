-- Whether anybody still waits for a segment's result, and how old the segment is in ms.
-- KEYS: session, offsets   ARGV: epoch, seq, entry id
local now = redis.call('TIME')
local now_ms = tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
local age_ms = math.max(0, now_ms - tonumber(string.match(ARGV[3], '^%d+')))
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return {0, age_ms} end
return {1 - redis.call('HEXISTS', KEYS[2], ARGV[2]), age_ms}
