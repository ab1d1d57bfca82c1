// Sessions over real WebSockets, with a gateway that answers as a test tells it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { GaveUp, pieces, Recitation, Refused, Transcription, UnreadableEvent } from 'rattil-client';
import { gateway } from './gateway.js';

const SAMPLES = Int16Array.from({ length: 40_000 }, (_, index) => index % 30_000);
const SOON = { WebSocket, random: () => 0 };
const partial = (seq) => ({ type: 'partial_result', seq, word_feedback: [] });
const FINAL = { type: 'final_result', result: {} };

const recitation = (url, options = {}) => new Recitation(url, { surah: 1, ayah: 1, to: 7, ...SOON, ...options });

/** Gateways with these scripts, stopped when the test ends. */
async function started(context, ...scripts) {
  const running = await gateway(...scripts);
  context.after(running.stop);
  return running;
}

async function collected(session, audio = pieces(SAMPLES)) {
  const events = [];
  for await (const event of session.stream(audio)) events.push(event);
  return events;
}

async function whole(line) {
  line.ready();
  await line.asked('end');
  line.send(partial(0), FINAL);
}

test('all audio is sent, all events come, the last one ends it', async (context) => {
  const { url, lines } = await started(context, whole);
  const session = recitation(url);
  const events = await collected(session);
  assert.deepEqual(events.map(({ type }) => type), ['ready', 'partial_result', 'final_result']);
  assert.deepEqual(lines[0].samples, SAMPLES);
  assert.deepEqual(lines[0].query, { surah: '1', ayah: '1', to: '7' });
  assert.equal(lines[0].path, '/ws/recite');
  assert.deepEqual([session.reconnects, session.sessionId], [0, 's1']);
});

test('after a break what was not acknowledged is sent again, and no event comes twice', async (context) => {
  const { url, lines } = await started(
    context,
    async (line) => {
      line.ready();
      await line.heard(20_000);
      line.send(partial(0), partial(1), { type: 'ack', offset: 12_000 });
      line.send({ type: 'pong' });
      await line.asked('{"type":"flush"}');
      line.socket.terminate();
    },
    async (line) => {
      line.ready({ resumed: true, next_seq: 1, offset: 12_000 });
      await line.asked('end');
      line.send(partial(1), partial(2), FINAL);
    },
  );
  const session = recitation(url);
  const lost = [];
  session.addEventListener('reconnect', ({ detail }) => lost.push(detail.reason));
  session.addEventListener('ack', () => assert.equal(session.command({ type: 'flush' }), true));
  const events = await collected(session);
  assert.deepEqual(events.flatMap(({ seq }) => seq ?? []), [0, 1, 2]);
  const { session_id: id, offset, last_seq: last } = lines[1].query;
  assert.deepEqual([id, offset, last], ['s1', '12000', '1']);
  assert.deepEqual(lines[1].samples, SAMPLES.slice(12_000));
  assert.deepEqual(lost, ['connection lost']);
  assert.deepEqual([session.reconnects, session.lostSamples], [1, 0]);
});

for (const code of [1001, 1011, 1012, 1013, 4001, 4008, 4499]) {
  test(`close code ${code} means to come back`, async (context) => {
    const { url, lines } = await started(context, async (line) => { line.ready(); line.socket.close(code, 'later'); }, whole);
    await collected(recitation(url));
    assert.equal(lines.length, 2);
  });
}

for (const code of [1000, 1008, 1009, 4501, 4502, 4503]) {
  test(`close code ${code} means not to come back`, async (context) => {
    const { url, lines } = await started(context, async (line) => { line.ready(); line.socket.close(code, 'why'); });
    await assert.rejects(collected(recitation(url)), (error) => {
      assert.ok(error instanceof Refused);
      assert.deepEqual([error.code, error.reason], [code, 'why']);
      return true;
    });
    assert.equal(lines.length, 1);
  });
}

test('a handshake that is refused for now is tried again, one that is refused for good is not', async (context) => {
  const busy = await started(context, 503, 429, whole);
  await collected(recitation(busy.url));
  assert.deepEqual(busy.refused, [503, 429]);
  const forbidden = await started(context, 403);
  await assert.rejects(collected(recitation(forbidden.url)), { name: 'Refused', code: 403 });
});

test('an address where nobody answers is given up soon', async (context) => {
  const { url, stop } = await started(context, whole);
  await stop();
  const session = recitation(url);
  await assert.rejects(collected(session), (error) => error instanceof GaveUp && error.message.includes('nothing answers'));
  assert.equal(session.reconnects, 4);
});

test('gateways are taken in turn', async (context) => {
  const first = await started(context, async (line) => { line.ready(); line.socket.terminate(); });
  const second = await started(context, async (line) => {
    line.ready({ resumed: true });
    await line.asked('end');
    line.send(FINAL);
  });
  await collected(recitation([first.url, second.url.replace('ws:', 'http:')]));
  assert.equal(second.lines[0].query.session_id, 's1');
});

test('a server that asks for a pause is not asked before', async (context) => {
  const { url } = await started(
    context,
    (line) => { line.send({ type: 'error', code: 'no_capacity', retry_after_s: 0.05 }); line.socket.close(4013); },
    whole,
  );
  const session = recitation(url);
  const pauses = [];
  session.addEventListener('reconnect', ({ detail }) => pauses.push(detail.delayMs));
  await collected(session);
  assert.deepEqual(pauses, [50]);
});

test('what is no event ends the session', async (context) => {
  const { url } = await started(context, (line) => line.send('<html>'));
  await assert.rejects(collected(recitation(url)), UnreadableEvent);
});

test('events that nobody reads wait at the server, and come once and in order', async (context) => {
  const all = Array.from({ length: 1000 }, (_, seq) => partial(seq));
  const script = (line) => {
    const seen = Number(line.query.last_seq ?? -1);
    line.ready({ resumed: seen >= 0, next_seq: seen + 1 });
    line.send(...all.slice(seen + 1), FINAL);
  };
  const { url, lines } = await started(context, script);
  const seqs = [];
  for await (const event of recitation(url, { policy: { giveUpAfter: 3 } }).stream(pieces(SAMPLES))) {
    if (!seqs.length) await new Promise((resolve) => { setTimeout(resolve, 50); }); // reads late
    if (event.seq !== undefined) seqs.push(event.seq);
  }
  assert.deepEqual(seqs, all.map(({ seq }) => seq));
  assert.ok(lines.length > 1);
});

test('audio waits when two minutes are not acknowledged', async (context) => {
  let [asked, most] = [0, 0];
  const audio = (function* minutes() {
    for (; asked < 200; asked += 1) yield new Int16Array(16_000);
  })();
  const { url } = await started(context, async (line) => {
    line.ready();
    await line.heard(115 * 16_000);
    line.send(partial(0));
    most = asked;
    line.send({ type: 'ack', offset: 115 * 16_000 });
    await line.asked('end');
    line.send(FINAL);
  });
  await collected(recitation(url), audio);
  assert.ok(most <= 121, String(most));
  assert.equal(asked, 200);
});

test('the key travels as a subprotocol, not in the address', async (context) => {
  const { url, lines } = await started(context, whole);
  await collected(recitation(url, { token: 'a key = with / signs' }));
  assert.deepEqual(lines[0].protocols, ['rattil.v1', 'rattil.key64.YSBrZXkgPSB3aXRoIC8gc2lnbnM']);
  assert.ok(!JSON.stringify(lines[0].query).includes('key'));
});

test('another page goes on where the first one left', async (context) => {
  const { url, lines } = await started(
    context,
    async (line) => { line.ready(); await line.heard(10_000); line.send(partial(0), { type: 'ack', offset: 8000 }); },
    async (line) => {
      line.ready({ resumed: true, next_seq: 1, offset: 9000 });
      await line.asked('end');
      line.send(FINAL);
    },
  );
  const first = recitation(url);
  for await (const event of first.stream(pieces(SAMPLES))) if (event.type === 'ack') break;
  const kept = JSON.parse(JSON.stringify(first.resume));
  assert.deepEqual(kept, { sessionId: 's1', acked: 8000, lastSeq: 0 });
  await collected(recitation(url, { resume: kept }));
  assert.deepEqual([lines[1].query.offset, lines[1].query.last_seq], ['8000', '0']);
  assert.deepEqual(lines[1].samples, SAMPLES);
});

test('a source that breaks ends the session', async (context) => {
  const { url, lines } = await started(context, (line) => line.ready());
  async function* broken() {
    yield SAMPLES.slice(0, 1600);
    throw new Error('the cable is out');
  }
  await assert.rejects(collected(recitation(url), broken()), /the cable is out/);
  await Promise.all(lines.map((line) => line.gone()));
});

test('leaving closes the connection and stops the source', async (context) => {
  const { url, lines } = await started(context, (line) => line.ready());
  let stopped = false;
  async function* endless() {
    try {
      for (;;) {
        await new Promise((resolve) => { setTimeout(resolve, 5); });
        yield SAMPLES.slice(0, 80);
      }
    } finally {
      stopped = true;
    }
  }
  const session = recitation(url);
  for await (const { type } of session.stream(endless())) if (type === 'ready') break;
  await lines[0].gone();
  while (!stopped) await new Promise((resolve) => { setTimeout(resolve, 5); });
  const again = recitation(url);
  again.addEventListener('ready', () => again.close());
  await assert.rejects(again.run(endless()), { name: 'Closed' });
  await assert.rejects(again.run(endless()), /used once/);
});

test('a source can be ended from outside', async (context) => {
  const { url } = await started(context, whole);
  const session = recitation(url);
  session.addEventListener('ready', () => session.endAudio());
  async function* silent() { await new Promise(() => {}); yield SAMPLES; }
  assert.equal((await session.run(silent())).type, 'final_result');
});

test('a transcription speaks its own protocol', async (context) => {
  const { url, lines } = await started(context, async (line) => {
    line.send({ type: 'session.begin', session_id: 's2', language: 'ar' });
    await line.asked('{"type":"end"}');
    line.send({ type: 'transcript.final', seq: 0, text: 'one' }, { type: 'session.end', transcript: 'one' });
  });
  const session = new Transcription(`${url}/`, { language: 'ar', sampleRate: 8000, query: { word_timestamps: true }, ...SOON });
  const texts = [];
  session.addEventListener('transcript.final', ({ detail }) => texts.push(detail.text));
  const last = await session.run(pieces(SAMPLES, { sampleRate: 8000 }));
  assert.deepEqual([texts, last.transcript], [['one'], 'one']);
  assert.deepEqual(lines[0].query, { language: 'ar', sample_rate: '8000', word_timestamps: 'true' });
  assert.equal(lines[0].path, '/v1/audio/transcriptions/stream');
});

test('without a WebSocket it is said what to do', (context) => {
  const own = globalThis.WebSocket; // Node 22 has one
  delete globalThis.WebSocket;
  context.after(() => { if (own) globalThis.WebSocket = own; });
  assert.throws(() => new Recitation('ws://x', { surah: 1, ayah: 1 }), /npm install ws/);
});
