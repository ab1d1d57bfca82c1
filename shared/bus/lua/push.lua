-- Save how far the session has come, store audio, queue a segment: all or nothing. What else is in the record
-- belongs to its epoch: `open` has written it. Returns 'ok', 'lost', 'fenced', 'full'.
-- KEYS: session, audio, results, offsets, segments
-- ARGV: ttl_s, connection_id, epoch, generation, what its sender has seen: newest result, safe sample, next seq,
--       segment ('' for none), its seq, its overlap, 1 if its audio is that and the audio entry (0: it has all
--       in itself), stream bound,
--       audio entry ('' for none), its start and end sample, audio bytes bound (0: by sample),
--       first sample to keep,
--       of the record: safe sample, next seq, core, core seq, ended
local ttl, connection, epoch, generation = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local seen_top, seen_safe, seen_seq = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local segment, seq, overlap, split, max_segments = ARGV[8], ARGV[9], ARGV[10], ARGV[11], tonumber(ARGV[12])
local audio, from, to = ARGV[13], ARGV[14], tonumber(ARGV[15])
local max_bytes, keep_from = tonumber(ARGV[16]), ARGV[17]
local safe_sample, next_seq = ARGV[18], ARGV[19]

local state = redis.call('HMGET', KEYS[1], 'connection_id', 'epoch', 'audio_end', 'audio_bytes', 'safe_sample',
  'generation', 'top', 'next_seq', 'deleted', 'keep_s')
if state[9] then return 'fenced' end
if not state[1] then return 'lost' end
-- Ownership before epoch: a superseded connection must never be told to open the session anew. A lower
-- generation than the sender's is one from before its take-over: Redis came back older.
local owned = tonumber(state[6] or 0)
if owned > generation or (owned == generation and state[1] ~= connection) then return 'fenced' end
if state[2] ~= epoch then return 'lost' end
if tonumber(state[7]) < seen_top or tonumber(state[5]) < seen_safe or tonumber(state[8]) < seen_seq then
  return 'lost'
end
-- Evicted or deleted by hand: a session's keys live and die together.
local bytes_stored = tonumber(state[4])
if bytes_stored > 0 and redis.call('EXISTS', KEYS[2]) == 0 then return 'lost' end
if tonumber(state[7]) > 0 and redis.call('EXISTS', KEYS[3], KEYS[4]) < 2 then return 'lost' end
local queue = segment ~= '' and redis.call('HEXISTS', KEYS[4], seq) == 0
if queue and redis.call('XLEN', KEYS[5]) >= max_segments then return 'full' end
ttl = state[10] or ttl

-- A push whose connection was given up may arrive after the one that repeated it, and others: it must
-- not take the record back to where it was.
local ahead = tonumber(safe_sample) - tonumber(state[5])
if ahead == 0 then ahead = tonumber(next_seq) - tonumber(state[8]) end
if ahead >= 0 then
  redis.call('HSET', KEYS[1], 'connection_id', connection, 'generation', ARGV[4], 'safe_sample', safe_sample,
    'next_seq', next_seq, 'core', ARGV[20], 'core_seq', ARGV[21], 'ended', ARGV[22])
end

-- An entry's id is its end sample: a repeated chunk is seen at once, a read can start at any sample.
if audio ~= '' and to > tonumber(state[3]) then
  redis.call('XADD', KEYS[2], ARGV[15] .. '-0', 's', from, 'd', audio)
  local bytes = bytes_stored + #audio
  if max_bytes == 0 then
    redis.call('XTRIM', KEYS[2], 'MINID', '=', keep_from)
  end
  while max_bytes > 0 and bytes > max_bytes do
    local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
    bytes = bytes - #oldest[2][4]
    redis.call('XDEL', KEYS[2], oldest[1])
  end
  redis.call('HSET', KEYS[1], 'audio_end', ARGV[15], 'audio_bytes', bytes)
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
