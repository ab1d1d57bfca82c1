-- Admit one session.
-- ARGV: 5 session, 6 pool, 7 pool asked for, 8 TTL (ms), 9 holder, 10 tenant, 11 '1' if the holder takes over
-- Returns {'leased', lease} | {'full'} | {'no_worker'} | {'held'} | {'conflict', pool}
local session, pool, requested, ttl_ms = ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[8])
local holder, tenant, takes_over = ARGV[9], ARGV[10], ARGV[11] == '1'
local lease = lease_of(session)
local stored
if lease then
  local free_to_take = lease.holder == holder or lease.parked or takes_over
  if not free_to_take or not of_tenant(lease, tenant) then return {'held'} end
  if lease.pool ~= requested and lease.requested_pool ~= requested then
    return {'conflict', lease.pool}
  end
  if lease.worker_id == '' then
    adopt(lease.pool)
    lease = lease_of(session)
  end
  hold(lease, session, holder, tenant, ttl_ms)
  stored = cjson.encode(lease)
  redis.call('HSET', LEASES, session, stored)
else
  -- Sessions that lost their worker come before new ones.
  adopt(pool)
  local worker = take_slot(pool)
  if not worker then
    return {redis.call('ZCARD', free_key(pool)) == 0 and 'no_worker' or 'full'}
  end
  lease = {pool = pool, requested_pool = requested}
  hold(lease, session, holder, tenant, ttl_ms)
  stored = bind(session, lease, worker)
end
redis.call('ZADD', ACTIVE, now_ms() + ttl_ms, session)
return {'leased', stored}
