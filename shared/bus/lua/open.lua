-- Create a session, replacing anything under its id, and tell a former owner.
-- KEYS: session, audio, results, offsets
-- ARGV: ttl_s, connection_id, takeover frame, then field/value pairs of the record
local former = redis.call('HGET', KEYS[1], 'connection_id')
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
local fields = {}
for i = 4, #ARGV do fields[#fields + 1] = ARGV[i] end
redis.call('HSET', KEYS[1], 'top', 0, 'audio_end', 0, 'audio_bytes', 0, unpack(fields))
redis.call('EXPIRE', KEYS[1], ARGV[1])
if former and former ~= ARGV[2] then
  redis.call('PUBLISH', 'results:' .. former, ARGV[3])
end
return 1
