-- Length of a segment stream and the age of its oldest entry in ms; the entry itself stays here.
-- KEYS: segments
local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
if not oldest then return {0, 0} end
local now = redis.call('TIME')
local now_ms = tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
local born_ms = tonumber(string.match(oldest[1], '^%d+'))
return {redis.call('XLEN', KEYS[1]), math.max(0, now_ms - born_ms)}
