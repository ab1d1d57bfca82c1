-- Renew many leases. ARGV: 5 TTL (ms), 6.. sessions. Returns, per session, its lease or nil.
local expiry = now_ms() + tonumber(ARGV[5])
local found = {}
for i = 6, #ARGV do
  local stored = redis.call('HGET', LEASES, ARGV[i])
  if stored then redis.call('ZADD', ACTIVE, expiry, ARGV[i]) end
  found[i - 5] = stored
end
return found
