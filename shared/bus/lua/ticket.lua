-- A place in the order in which connections ask for a session: microseconds of this clock, and above the
-- generation of whoever owns it now (the clock of another server may be behind).
-- KEYS: session
local now = redis.call('TIME')
local now_us = tonumber(now[1]) * 1000000 + tonumber(now[2])
local owned = tonumber(redis.call('HGET', KEYS[1], 'generation') or 0)
return string.format('%.0f', math.max(now_us, owned + 1))
