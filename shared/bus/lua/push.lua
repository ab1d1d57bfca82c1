-- Save the record, store audio, queue a segment: all or nothing. Returns 'ok', 'lost', 'fenced', 'full'.
-- KEYS: session, audio, results, offsets, segments
-- ARGV: ttl_s, connection_id, epoch,
--       segment ('' for none), its seq, its overlap, 1 if its audio is that and the audio entry (0: it has all
--       in itself), stream bound,
--       audio entry ('' for none), its start and end sample, audio bytes bound (0: by sample),
--       first sample to keep,
--       then field/value pairs of the record
local ttl, connection, epoch = ARGV[1], ARGV[2], ARGV[3]
local segment, seq, overlap, split, max_segments = ARGV[4], ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[8])
local audio, from, to = ARGV[9], ARGV[10], tonumber(ARGV[11])
local max_bytes, keep_from = tonumber(ARGV[12]), ARGV[13]

local state = redis.call('HMGET', KEYS[1], 'connection_id', 'epoch', 'audio_end', 'audio_bytes', 'safe_sample')
if not state[1] then return 'lost' end
-- Ownership before epoch: a superseded connection must never be told to open the session anew.
if state[1] ~= connection then return 'fenced' end
if state[2] ~= epoch then return 'lost' end
local queue = segment ~= '' and redis.call('HEXISTS', KEYS[4], seq) == 0
if queue and redis.call('XLEN', KEYS[5]) >= max_segments then return 'full' end

-- A push whose connection was given up may arrive after the one that repeated it, and others: it must
-- not take the record back to where it was.
local fields, late = {}, false
for i = 14, #ARGV do
  fields[#fields + 1] = ARGV[i]
  if ARGV[i] == 'safe_sample' and i % 2 == 0 then late = tonumber(ARGV[i + 1]) < tonumber(state[5] or 0) end
end
if not late then redis.call('HSET', KEYS[1], unpack(fields)) end

-- An entry's id is its end sample: a repeated chunk is seen at once, a read can start at any sample.
if audio ~= '' and to > tonumber(state[3]) then
  redis.call('XADD', KEYS[2], ARGV[11] .. '-0', 's', from, 'd', audio)
  local bytes = tonumber(state[4]) + #audio
  if max_bytes == 0 then
    redis.call('XTRIM', KEYS[2], 'MINID', '=', keep_from)
  end
  while max_bytes > 0 and bytes > max_bytes do
    local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
    bytes = bytes - #oldest[2][4]
    redis.call('XDEL', KEYS[2], oldest[1])
  end
  redis.call('HSET', KEYS[1], 'audio_end', ARGV[11], 'audio_bytes', bytes)
end
if queue then
  -- No concatenation here: the worker joins the parts.
  if split == '1' then
    redis.call('XADD', KEYS[5], '*', 's', segment, 'o', overlap, 'd', audio)
  else
    redis.call('XADD', KEYS[5], '*', 's', segment)
  end
end
for i = 1, 4 do redis.call('EXPIRE', KEYS[i], ttl) end
return 'ok'
