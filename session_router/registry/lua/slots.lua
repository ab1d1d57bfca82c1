-- Put before every script of the registry: what a slot and a lease are.
-- KEYS: 1 workers, 2 active sessions, 3 leases, 4 known workers, 5 pools, 6 expiry, 7 former holders
-- ARGV: 1-4 key templates (worker, its sessions, free slots, orphans) with <id> for the name; 5.. the script's own
local WORKERS, ACTIVE, LEASES, KNOWN, POOLS, EXPIRY = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local FORMER = KEYS[7]

local function named(template, name)
  return (string.gsub(template, '<id>', function() return name end))
end
local function worker_key(worker) return named(ARGV[1], worker) end
local function sessions_key(worker) return named(ARGV[2], worker) end
local function free_key(pool) return named(ARGV[3], pool) end
local function orphans_key(pool) return named(ARGV[4], pool) end

-- The one clock all routers share; their own may disagree.
local function now_ms()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end

-- The live worker with most free slots, one slot taken; nil when the pool is full.
local function take_slot(pool)
  local free = free_key(pool)
  while true do
    local top = redis.call('ZREVRANGE', free, 0, 0, 'WITHSCORES')
    if #top == 0 or tonumber(top[2]) < 1 then return nil end
    if redis.call('EXISTS', worker_key(top[1])) == 1 then
      redis.call('ZINCRBY', free, -1, top[1])
      return top[1]
    end
    redis.call('ZREM', free, top[1])
  end
end

-- Record that a worker (or nobody: '') holds a session, whose slot has been taken already.
local function bind(session, lease, worker)
  lease.worker_id = worker
  local stored = cjson.encode(lease)
  redis.call('HSET', LEASES, session, stored)
  if worker == '' then
    redis.call('SADD', orphans_key(lease.pool), session)
  else
    redis.call('SADD', sessions_key(worker), session)
  end
  return stored
end

-- Give orphans of a pool to workers with free slots; returns how many.
local function adopt(pool)
  local adopted = 0
  local orphans = orphans_key(pool)
  while redis.call('EXISTS', orphans) == 1 do
    local worker = take_slot(pool)
    if not worker then break end
    local session = redis.call('SPOP', orphans)
    local stored = redis.call('HGET', LEASES, session)
    if stored then
      bind(session, cjson.decode(stored), worker)
      adopted = adopted + 1
    else
      redis.call('ZINCRBY', free_key(pool), 1, worker)
    end
  end
  return adopted
end

-- The lease of a session; nil if it has none.
local function lease_of(session)
  local stored = redis.call('HGET', LEASES, session)
  return stored and cjson.decode(stored) or nil
end

-- Leases of an earlier version name no tenant.
local function of_tenant(lease, tenant)
  return lease.tenant == nil or lease.tenant == tenant
end

-- Make a lease a holder's; whoever had it before is a former holder for as long as a lease lives.
local function hold(lease, session, holder, tenant, ttl_ms)
  if lease.holder and lease.holder ~= holder then
    redis.call('ZADD', FORMER, now_ms() + ttl_ms, session .. ' ' .. lease.holder)
  end
  redis.call('ZREM', FORMER, session .. ' ' .. holder)
  lease.holder, lease.tenant, lease.parked = holder, tenant, false
end

-- Forget a session and give its slot back (to an orphan first). False if it had no lease.
local function release(session)
  local lease = lease_of(session)
  redis.call('ZREM', ACTIVE, session)
  if not lease then return false end
  redis.call('HDEL', LEASES, session)
  if lease.worker_id == '' then
    redis.call('SREM', orphans_key(lease.pool), session)
    return true
  end
  local free = free_key(lease.pool)
  local held = redis.call('SREM', sessions_key(lease.worker_id), session) == 1
  -- A draining or dead worker is not in the set; its slots come back with a refresh or never.
  if held and redis.call('ZSCORE', free, lease.worker_id) then
    redis.call('ZINCRBY', free, 1, lease.worker_id)
    adopt(lease.pool)
  end
  return true
end
