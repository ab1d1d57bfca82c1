-- Bring slots in line with what workers report. ARGV: 5.. worker ids
-- A worker whose hash has expired (Redis's own clock) or was removed is dead.
-- Returns {dead workers, workers that left, moved, orphaned, adopted, unreadable reports}
local dead, left, moved, orphaned, adopted, unreadable = {}, {}, 0, 0, 0, 0

local function report_of(worker)
  local text = redis.call('HGET', worker_key(worker), 'report')
  if not text then return nil end
  local ok, report = pcall(cjson.decode, text)
  if ok and type(report) == 'table' and type(report.pool) == 'string' and type(report.capacity) == 'number' then
    return report
  end
  unreadable = unreadable + 1
  return nil
end

-- Offer the sessions of a worker to others of their pool. Without a taker they stay, or become orphans.
local function move_sessions(worker, orphan_the_rest)
  for _, session in ipairs(redis.call('SMEMBERS', sessions_key(worker))) do
    local stored = redis.call('HGET', LEASES, session)
    local lease = stored and cjson.decode(stored)
    local taker = lease and take_slot(lease.pool)
    if not lease then
      redis.call('SREM', sessions_key(worker), session)
    elseif taker or orphan_the_rest then
      redis.call('SREM', sessions_key(worker), session)
      bind(session, lease, taker or '')
      if taker then moved = moved + 1 else orphaned = orphaned + 1 end
    else
      break
    end
  end
end

local function withdraw(worker)
  local pool = redis.call('HGET', KNOWN, worker)
  if pool then redis.call('ZREM', free_key(pool), worker) end
end

-- One that leaves takes itself off the list; one that is still on it has died.
local function bury(worker)
  withdraw(worker)
  local known = redis.call('HDEL', KNOWN, worker) == 1
  if redis.call('ZREM', WORKERS, worker) == 1 then
    dead[#dead + 1] = worker
  elseif known then
    left[#left + 1] = worker
  end
end

-- First what frees or takes slots, then what needs them.
local leaving, pools = {}, {}
for i = 5, #ARGV do
  local worker = ARGV[i]
  local report = report_of(worker)
  if not report then
    bury(worker)
    leaving[#leaving + 1] = {worker, true}
  else
    local before = redis.call('HGET', KNOWN, worker)
    local taken = redis.call('SCARD', sessions_key(worker))
    if before and before ~= report.pool then
      taken = 0
      withdraw(worker)
      leaving[#leaving + 1] = {worker, true}
    end
    redis.call('HSET', KNOWN, worker, report.pool)
    redis.call('SADD', POOLS, report.pool)
    pools[report.pool] = true
    if report.status == 'draining' then
      withdraw(worker)
      leaving[#leaving + 1] = {worker, false}
    else
      redis.call('ZADD', free_key(report.pool), math.floor(report.capacity) - taken, worker)
    end
  end
end
for _, entry in ipairs(leaving) do move_sessions(entry[1], entry[2]) end
for pool in pairs(pools) do adopted = adopted + adopt(pool) end
return {dead, left, moved, orphaned, adopted, unreadable}
