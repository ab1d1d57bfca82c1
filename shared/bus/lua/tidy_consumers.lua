-- Remove consumers that have been silent for long and hold nothing: workers that were killed. One that still
-- lives is made again by its next read. Returns how many.
-- KEYS: segments   ARGV: group, own consumer, least silence (ms)
local removed = 0
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local about = {}
  for i = 1, #consumer, 2 do about[consumer[i]] = consumer[i + 1] end
  if about.name ~= ARGV[2] and about.pending == 0 and about.idle >= tonumber(ARGV[3]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], about.name)
    removed = removed + 1
  end
end
return removed
