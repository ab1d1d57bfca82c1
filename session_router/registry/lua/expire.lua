-- Release leases nobody renewed. ARGV: 5 how many at most, 6 TTL of a lease (ms). Returns how many.
-- Where no router has looked for long, no gateway could renew: its leases get a whole TTL from now on.
local now, ttl_ms = now_ms(), tonumber(ARGV[6])
local seen = redis.call('HMGET', EXPIRY, 'seen', 'paused_until')
local paused_until = tonumber(seen[2] or 0)
if seen[1] and now - tonumber(seen[1]) > ttl_ms / 3 then paused_until = now + ttl_ms end
redis.call('HSET', EXPIRY, 'seen', now, 'paused_until', paused_until)
redis.call('ZREMRANGEBYSCORE', FORMER, '-inf', now)
if now < paused_until then return 0 end
local expired = redis.call('ZRANGEBYSCORE', ACTIVE, '-inf', now, 'LIMIT', 0, tonumber(ARGV[5]))
for _, session in ipairs(expired) do release(session) end
return #expired
