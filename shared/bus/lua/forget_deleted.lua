-- Ack this consumer's pending entries that no longer exist (Redis 6.2 keeps them pending for ever).
-- KEYS: segments   ARGV: group, consumer, most entries to look at
local acked = 0
for _, entry in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', ARGV[3], ARGV[2])) do
  if #redis.call('XRANGE', KEYS[1], entry[1], entry[1]) == 0 then
    acked = acked + redis.call('XACK', KEYS[1], ARGV[1], entry[1])
  end
end
return acked
