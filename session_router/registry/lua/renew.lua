-- Renew many leases; make those again that are gone. ARGV: 5 TTL (ms), then per lease:
-- session, holder, pool, pool asked for, tenant, '1' if the holder takes over
-- Returns, per lease, 'renewed', 'restored' or 'taken', and the lease
local ttl_ms = tonumber(ARGV[5])
local expiry = now_ms() + ttl_ms
local answer = {}
for i = 6, #ARGV, 6 do
  local session, holder, pool, tenant = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 4]
  local stored = redis.call('HGET', LEASES, session)
  local outcome = 'renewed'
  if stored then
    local lease = cjson.decode(stored)
    if not of_tenant(lease, tenant) then
      outcome = 'taken'
    elseif lease.holder ~= holder or lease.parked then
      outcome = 'taken'
      if ARGV[i + 5] == '1' then
        outcome = 'renewed'
        hold(lease, session, holder, tenant, ttl_ms)
        stored = cjson.encode(lease)
        redis.call('HSET', LEASES, session, stored)
      end
    end
  elseif ARGV[i + 5] ~= '1' and redis.call('ZSCORE', FORMER, session .. ' ' .. holder) then
    -- It was given back, or is another's, while this renewal was on its way.
    outcome, stored = 'taken', ''
  else
    -- The session lives, so it counts, with a worker or (in a full pool) without.
    outcome = 'restored'
    local lease = {pool = pool, requested_pool = ARGV[i + 3]}
    hold(lease, session, holder, tenant, ttl_ms)
    stored = bind(session, lease, take_slot(pool) or '')
    redis.call('SADD', POOLS, pool)
  end
  if outcome ~= 'taken' then redis.call('ZADD', ACTIVE, expiry, session) end
  answer[#answer + 1] = outcome
  answer[#answer + 1] = stored
end
return answer
