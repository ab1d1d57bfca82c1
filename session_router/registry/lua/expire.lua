-- Release leases nobody renewed. ARGV: 5 how many at most. Returns how many.
local expired = redis.call('ZRANGEBYSCORE', ACTIVE, '-inf', now_ms(), 'LIMIT', 0, tonumber(ARGV[5]))
for _, session in ipairs(expired) do release(session) end
return #expired
