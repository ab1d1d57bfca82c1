-- Log and publish a segment's outcome once, then ack and delete the segment.
-- KEYS: session, audio, results, offsets, segments
-- ARGV: ttl_s, epoch, seq, encoded result, log bound, segment's connection_id, group, entry id ('' for none)
-- Returns {1 if this outcome stands, its offset or that of the one before it (0: session gone)}.

-- XACK first, though nothing else sees the order: Redis at its memory limit lets a script go on after
-- a first write that frees memory, and the answers are what drains a full backlog.
if ARGV[8] ~= '' then
  redis.call('XACK', KEYS[5], ARGV[7], ARGV[8])
else
  redis.call('EXPIRE', KEYS[1], ARGV[1])
end
local function leave()
  if ARGV[8] ~= '' then redis.call('XDEL', KEYS[5], ARGV[8]) end
end

local state = redis.call('HMGET', KEYS[1], 'epoch', 'connection_id', 'keep_s')
if state[1] ~= ARGV[2] then
  leave()
  return {0, 0}
end
local first = redis.call('HGET', KEYS[4], ARGV[3])
if first then
  leave()
  return {0, tonumber(first)}
end
local offset = redis.call('HINCRBY', KEYS[1], 'top', 1)
redis.call('HSET', KEYS[4], ARGV[3], offset)
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], offset .. '-0', 'r', ARGV[4])
for i = 1, 4 do redis.call('EXPIRE', KEYS[i], state[3] or ARGV[1]) end
redis.call('PUBLISH', 'results:' .. (state[2] or ARGV[6]), offset .. ':' .. ARGV[4])
leave()
return {1, offset}
