-- KEYS: 1 segment stream. Returns {entries waiting or in work, age of the oldest (ms)}
-- In Lua, because the oldest entry carries its audio and must not be sent just for its id.
local depth = redis.call('XLEN', KEYS[1])
if depth == 0 then return {0, 0} end
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
if #first == 0 then return {0, 0} end
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
return {depth, math.max(0, now - tonumber(string.match(first[1][1], '^%d+')))}
