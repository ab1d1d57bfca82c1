-- Give one lease back; only its holder can. ARGV: 5 session, 6 holder, 7 how long the slot is kept (ms, 0: not),
-- 8 TTL of a lease (ms)
-- Returns 1 if it was the holder's.
local session, keep_ms = ARGV[5], tonumber(ARGV[7])
local lease = lease_of(session)
if not lease or lease.holder ~= ARGV[6] then return 0 end
redis.call('ZADD', FORMER, now_ms() + keep_ms + tonumber(ARGV[8]), session .. ' ' .. ARGV[6])
if keep_ms == 0 then return release(session) and 1 or 0 end
lease.parked = true
redis.call('HSET', LEASES, session, cjson.encode(lease))
redis.call('ZADD', ACTIVE, now_ms() + keep_ms, session)
return 1
