// The parts of the client without a socket.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse, recitationDialect, transcriptionDialect } from '../../clients/js/dialects.js';
import { UnreadableEvent } from '../../clients/js/errors.js';
import { mixDown, Resampler } from '../../clients/js/recorder.js';
import { DEFAULT_POLICY, ResumeState, delayMs } from '../../clients/js/resume.js';
import { pieces, SampleReader } from '../../clients/js/sound.js';
import { UnackedAudio } from '../../clients/js/unacked_audio.js';

const counted = (from, to) => Int16Array.from({ length: to - from }, (_, index) => from + index);

function audioOf(...lengths) {
  const audio = new UnackedAudio(1000);
  for (const length of lengths) audio.append(counted(audio.end, audio.end + length));
  return audio;
}

test('audio is read from any sample on, over the pieces it came in', () => {
  const audio = audioOf(3, 1, 7, 20);
  for (let from = 0; from <= 31; from += 1) {
    for (const most of [1, 5, 40]) {
      assert.deepEqual(audio.read(from, most), counted(from, Math.min(31, from + most)));
    }
  }
});

test('what was acknowledged is forgotten, and reads as silence', () => {
  const audio = audioOf(10, 10);
  audio.forgetBefore(13);
  audio.forgetBefore(4); // forgotten already
  assert.deepEqual([audio.start, audio.end, audio.room], [13, 20, 993]);
  assert.deepEqual(audio.read(11, 4), Int16Array.from([0, 0, 13, 14]));
  audio.forgetBefore(99); // not recorded yet
  assert.deepEqual([audio.start, audio.end], [20, 20]);
});

test('more than the capacity is refused', () => {
  const audio = audioOf(990);
  assert.throws(() => audio.append(counted(0, 11)), RangeError);
  assert.equal(audio.end, 990);
  audio.append(counted(0, 10));
});

test('the next connection continues after the last acknowledged sample and the last event', () => {
  const state = new ResumeState(audioOf(100));
  assert.deepEqual(state.query(), {});
  state.onOpening({ sessionId: 's1', resumed: false, nextSeq: 0, offset: 0 });
  assert.deepEqual(state.query(), { session_id: 's1', offset: '0' });
  assert.equal(state.nextFrame(60).length, 60);
  state.onAck(40);
  state.onAck(30);
  assert.deepEqual(['a', 'a', 'b', 'a'].map((kind) => state.isNew(kind, 0)), [true, false, true, false]);
  assert.deepEqual(state.query(), { session_id: 's1', offset: '40', last_seq: '0' });
  state.onOpening({ sessionId: 's1', resumed: true, nextSeq: 1, offset: 50 });
  assert.deepEqual(state.nextFrame(99), counted(50, 100));
  assert.equal(state.allSent, false);
  state.sourceEnded = true;
  assert.equal(state.allSent, true);
});

test('a server that lost the session tells its events from the beginning', () => {
  const state = new ResumeState(audioOf(100));
  state.onOpening({ sessionId: 's1', resumed: false, nextSeq: 0, offset: 0 });
  state.isNew('partial_result', 7);
  state.onAck(80);
  state.onOpening({ sessionId: 's1', resumed: false, nextSeq: 0, offset: 60 });
  assert.equal(state.lostSamples, 20);
  assert.equal(state.acked, 60);
  assert.equal(state.isNew('partial_result', 0), true);
});

test('who goes on with the session of another page begins to record where the server stands', () => {
  const state = new ResumeState(new UnackedAudio(1000, 40), { sessionId: 's1', acked: 40, lastSeq: 3 });
  assert.deepEqual(state.query(), { session_id: 's1', offset: '40', last_seq: '3' });
  state.audio.append(counted(0, 5));
  state.onOpening({ sessionId: 's1', resumed: true, nextSeq: 4, offset: 50 });
  assert.deepEqual(state.nextFrame(10), counted(0, 5));
  assert.deepEqual([state.sent, state.lostSamples], [55, 0]);
});

test('pauses grow, have a ceiling, and are never shorter than the server asked', () => {
  const longest = [1, 2, 3, 20].map((failures) => delayMs(DEFAULT_POLICY, failures, () => 1));
  assert.deepEqual(longest, [250, 500, 1000, 10_000]);
  assert.equal(delayMs(DEFAULT_POLICY, 3, () => 0, 700), 700);
});

test('samples are the same however their bytes are cut', () => {
  const samples = counted(-300, 300);
  const bytes = new Uint8Array(samples.buffer);
  const reader = new SampleReader();
  const read = [];
  for (let at = 0, size = 1; at < bytes.length; at += size, size = (size * 7) % 11 + 1) {
    read.push(...reader.read(bytes.subarray(at, at + size)));
  }
  assert.deepEqual(Int16Array.from(read), samples);
  assert.throws(() => reader.read(new Float32Array(4)), /PCM16/);
  assert.throws(() => reader.read('talk.wav'), /PCM16/);
});

test('a recording comes in pieces of 200 ms', async () => {
  const lengths = [];
  for await (const piece of pieces(counted(0, 5000), { sampleRate: 8000 })) lengths.push(piece.length);
  assert.deepEqual(lengths, [1600, 1600, 1600, 200]);
});

test('the address says what was asked, and leaves out what was not', () => {
  const { query } = recitationDialect({ surah: 1, ayah: 2, query: { window: 1.5, model: undefined } });
  assert.deepEqual(query, { surah: '1', ayah: '2', window: '1.5' });
  assert.deepEqual(transcriptionDialect().query, { language: 'en', sample_rate: '16000' });
});

test('events of newer servers are left out, and what is none is refused', () => {
  const dialect = recitationDialect({ surah: 1, ayah: 1 });
  assert.equal(parse(dialect, '{"type":"weather"}'), null);
  assert.equal(parse(dialect, '{"type":"ack","offset":3,"new":1}').offset, 3);
  const bad = ['{', '[]', '3', 'null', '{"kind":"ack"}', '{"type":"ack"}', '{"type":"ack","offset":-1}',
    '{"type":"ack","offset":"3"}', '{"type":"ready"}', '{"type":"ready","session_id":7}',
    '{"type":"ready","session_id":"s","offset":1.5}', '{"type":"error","seq":"1"}',
    '{"type":"error","retry_after_s":"soon"}'];
  for (const message of bad) assert.throws(() => parse(dialect, message), UnreadableEvent, message);
});

/** How loud a tone of this frequency is in the samples, and how loud all the rest is (both as root mean squares). */
function toneAndRest(samples, frequency, rate) {
  let [cosine, sine, power] = [0, 0, 0];
  samples.forEach((sample, index) => {
    const angle = (2 * Math.PI * frequency * index) / rate;
    cosine += sample * Math.cos(angle);
    sine += sample * Math.sin(angle);
    power += sample * sample;
  });
  const amplitude = (2 * Math.hypot(cosine, sine)) / samples.length;
  return { tone: amplitude / Math.SQRT2, rest: Math.sqrt(Math.max(0, power / samples.length - amplitude ** 2 / 2)) };
}

function recorded(frequency, from, to = 16_000) {
  const resampler = new Resampler(from, to);
  const out = [];
  for (let at = 0; at < from; at += 128) { // as an AudioWorklet gets it: 128 at a time
    const block = Float32Array.from({ length: 128 }, (_, k) => 0.5 * Math.sin((2 * Math.PI * frequency * (at + k)) / from));
    resampler.take(block, (sample) => out.push(sample));
  }
  return out;
}

for (const rate of [8000, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000]) {
  test(`a microphone of ${rate} Hz is heard at 16 kHz`, () => {
    const out = recorded(1000, rate);
    assert.ok(Math.abs(out.length - 16_000) < 300, String(out.length));
    const { tone, rest } = toneAndRest(out.slice(500, 15_500), 1000, 16_000);
    assert.ok(Math.abs(tone / (0.5 * 32_767 / Math.SQRT2) - 1) < 0.02, String(tone));
    assert.ok(rest < tone / 100, String(rest)); // 40 dB below it
  });
}

test('what 16 kHz cannot carry is taken away, not folded back', () => {
  const out = recorded(11_000, 48_000).slice(500, 15_500);
  assert.ok(Math.max(...out.map(Math.abs)) < 164); // 40 dB below what went in
});

test('channels become their mean', () => {
  assert.deepEqual(mixDown([Float32Array.of(1, 0), Float32Array.of(0, -1)]), Float32Array.of(0.5, -0.5));
});
