-- Admit one session. ARGV: 5 session, 6 pool, 7 pool asked for, 8 TTL (ms), 9 holder
-- Returns {'leased', lease} | {'full'} | {'conflict', pool}
local session, pool, requested, ttl_ms = ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[8])
local holder = ARGV[9]
local stored = redis.call('HGET', LEASES, session)
if stored then
  local lease = cjson.decode(stored)
  if lease.pool ~= requested and lease.requested_pool ~= requested then
    return {'conflict', lease.pool}
  end
  if lease.worker_id == '' then
    adopt(lease.pool)
    lease = cjson.decode(redis.call('HGET', LEASES, session))
  end
  lease.holder = holder
  stored = cjson.encode(lease)
  redis.call('HSET', LEASES, session, stored)
else
  -- Sessions that lost their worker come before new ones.
  adopt(pool)
  local worker = take_slot(pool)
  if not worker then return {'full'} end
  stored = bind(session, {pool = pool, requested_pool = requested, holder = holder}, worker)
end
redis.call('ZADD', ACTIVE, now_ms() + ttl_ms, session)
return {'leased', stored}
