-- Create a session, or go on with one whose state is lost. What a higher generation owns is never touched, so
-- a call that arrives late takes nothing from anybody. Returns 'ok', 'exists', 'fenced'.
-- KEYS: session, audio, results, offsets
-- ARGV: ttl_s, connection_id, generation, epoch, takeover frame, 1 if a session may be replaced,
--       then field/value pairs of the record
local state = redis.call('HMGET', KEYS[1], 'connection_id', 'generation', 'epoch', 'deleted')
local owner, generation = state[1], tonumber(state[2] or 0)
if owner or state[4] then
  if generation > tonumber(ARGV[3]) then return ARGV[6] == '1' and 'fenced' or 'exists' end
  if owner == ARGV[2] and state[3] == ARGV[4] then return 'ok' end
  if owner and ARGV[6] ~= '1' then return 'exists' end
end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
local fields = {}
for i = 7, #ARGV do fields[#fields + 1] = ARGV[i] end
redis.call('HSET', KEYS[1], 'top', 0, 'audio_end', 0, 'audio_bytes', 0, unpack(fields))
redis.call('EXPIRE', KEYS[1], ARGV[1])
if owner and owner ~= ARGV[2] then
  redis.call('PUBLISH', 'results:' .. owner, ARGV[5])
end
return 'ok'
