// One recitation over /ws/recite, across as many connections as it takes (docs/protocol.md).
// Knows nothing of the page: it reports through callbacks, in codes.

import { backoffMs, isRetryable } from './reconnecting.js';
import { SAMPLE_RATE, UnackedAudio } from './unacked_audio.js';

const FRAME_SAMPLES = 4800; // 300 ms
const HIGHEST_QUEUED_BYTES = 256 * 1024; // what may wait in the browser's own send buffer
const GIVE_UP_AFTER = 12; // attempts in a row that never became a session
const LOOK_EVERY_MS = 250;
const OPEN_WITHIN_MS = 8000;
const PING_AFTER_MS = 2000; // of quiet
const SILENT_AFTER_MS = 5000; // without any event: the connection is dead
const SILENT_WHILE_HELD_MS = 25000; // a service that holds audio back may answer pings late
const RESULT_WITHIN_MS = 60000; // after the end, plus a tenth of the recitation's length
const SUBPROTOCOL = 'rattil.v1';

/**
 * @typedef {{surah: number, ayah: number, to: number}} Verses
 * @typedef {{id: string, acked: number, lastSeq: number}} Resume where an earlier page left off
 * @typedef {{state: 'connecting' | 'reconnecting' | 'live' | 'quiet' | 'lost' | 'finishing',
 *            retryInMs?: number, resumed?: boolean, code?: number}} Link
 * @typedef {object} Listener
 * @property {(event: any) => void} onEvent each event of the service, once
 * @property {(link: Link) => void} onLink how the connection stands
 * @property {(code: string) => void} onFailure the session is over without a final result
 */

export class RecitationSession {
  #audio;
  /** @type {WebSocket | null} */
  #socket = null;
  #sent = 0;
  #ready = false;
  #ended = false; // no more audio will come
  #endSent = false;
  #over = false;
  #failures = 0;
  #lastSeq = new Map();
  #retryAfterMs = 0;
  #retryTimer = 0;
  #sendTimer = 0;
  #watch = 0;
  #heardAt = 0; // of the last event
  #pingedAt = 0;
  #openedAt = 0;
  #heldUntil = 0;
  #resultBy = Infinity;
  id = '';
  acked = 0;

  /**
   * @param {Verses} verses
   * @param {Listener} listener
   * @param {{key?: string, resume?: Resume | null, origin?: string}} options `key`: an API key; it travels as
   *   a subprotocol, since addresses end up in logs
   */
  constructor(verses, listener, { key = '', resume = null, origin = location.origin } = {}) {
    this.verses = verses;
    this.listener = listener;
    this.origin = origin.replace(/^http/, 'ws');
    this.protocols = key ? [SUBPROTOCOL, `rattil.key64.${base64url(key)}`] : [SUBPROTOCOL];
    this.#audio = new UnackedAudio(resume?.acked ?? 0);
    if (!resume) return;
    this.id = resume.id;
    this.acked = resume.acked;
    this.#lastSeq.set('partial_result', resume.lastSeq);
  }

  start() {
    this.#watch = setInterval(() => this.#look(), LOOK_EVERY_MS);
    this.#connect();
  }

  /** What another page needs to go on with this session; null before the first `ready`. @returns {Resume | null} */
  get resume() {
    return this.id ? { id: this.id, acked: this.acked, lastSeq: this.#highestSeq() } : null;
  }

  /** Samples of the session so far, sent or not. */
  get samples() {
    return this.#audio.end;
  }

  /** @param {Int16Array} samples 16 kHz mono. False if too much is waiting to be sent: the session is over. */
  push(samples) {
    if (this.#over || this.#ended) return false;
    const kept = this.#audio.append(samples);
    if (!kept) this.#fail('away_too_long');
    this.#send();
    return kept;
  }

  /** No more audio: ask for the final result. */
  end() {
    if (this.#over || this.#ended) return;
    this.#ended = true;
    this.#resultBy = performance.now() + RESULT_WITHIN_MS + (this.#audio.end / SAMPLE_RATE) * 100;
    this.#send();
  }

  /** A command as text, such as a peek; lost if there is no connection. */
  command(message) {
    if (this.#ready) this.#socket.send(JSON.stringify(message));
  }

  /** Leave without a result. */
  abandon() {
    this.#finish();
  }

  /** The device says that its network went away or came back: look at once instead of waiting. */
  networkChanged(online) {
    if (this.#over) return;
    if (online && !this.#socket) this.#reconnectNow();
    else if (this.#ready) this.#ping();
  }

  /** For tests: drop the connection as a bad network would. */
  dropConnection() {
    this.#drop(1006);
  }

  #highestSeq() {
    return Math.max(-1, ...this.#lastSeq.values());
  }

  #address() {
    const { surah, ayah, to } = this.verses;
    const query = new URLSearchParams({ surah: String(surah), ayah: String(ayah), to: String(to) });
    if (this.id) {
      query.set('session_id', this.id);
      query.set('offset', String(this.acked));
      if (this.#highestSeq() >= 0) query.set('last_seq', String(this.#highestSeq()));
    }
    return `${this.origin}/ws/recite?${query}`;
  }

  #connect() {
    this.listener.onLink({ state: this.id ? 'reconnecting' : 'connecting' });
    const socket = new WebSocket(this.#address(), this.protocols);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    this.#ready = false;
    this.#endSent = false;
    this.#openedAt = performance.now();
    socket.onmessage = (message) => socket === this.#socket && this.#take(message.data);
    socket.onclose = (close) => socket === this.#socket && this.#closed(close.code);
  }

  #reconnectNow() {
    clearTimeout(this.#retryTimer);
    this.#connect();
  }

  /** Runs a few times a second: is anybody still there? */
  #look() {
    const now = performance.now();
    if (now > this.#resultBy) this.#fail('result_timeout');
    else if (this.#socket && !this.#ready && now - this.#openedAt > OPEN_WITHIN_MS) this.#drop(1006);
    else if (this.#ready) this.#lookAtQuiet(now);
  }

  #lookAtQuiet(now) {
    const quiet = now - this.#heardAt;
    const patience = now < this.#heldUntil ? SILENT_WHILE_HELD_MS : SILENT_AFTER_MS;
    // Asked first, so that a page that slept does not take its own sleep for the service's.
    if (quiet > patience && this.#pingedAt > this.#heardAt && now - this.#pingedAt > PING_AFTER_MS) {
      this.#drop(1006);
    } else if (quiet > PING_AFTER_MS && this.#pingedAt <= this.#heardAt) this.#ping();
  }

  #ping() {
    this.#pingedAt = performance.now();
    this.#socket.send('ping');
  }

  #drop(code) {
    const socket = this.#socket;
    if (!socket) return;
    socket.onclose = null;
    socket.onmessage = null;
    socket.close();
    this.#closed(code);
  }

  #closed(code) {
    if (this.#over) return;
    const wasReady = this.#ready;
    this.#ready = false;
    this.#socket = null;
    if (!isRetryable(code)) return this.#fail(`close_${code}`);
    this.#failures = wasReady ? 1 : this.#failures + 1;
    if (this.#failures > GIVE_UP_AFTER && !this.id) return this.#fail('unreachable');
    const retryInMs = this.#retryAfterMs + backoffMs(this.#failures);
    this.#retryAfterMs = 0;
    this.listener.onLink({ state: 'lost', retryInMs, code });
    this.#retryTimer = setTimeout(() => this.#connect(), retryInMs);
  }

  #take(text) {
    this.#heardAt = performance.now();
    const event = JSON.parse(text);
    if (Number.isInteger(event.seq) && ['partial_result', 'error'].includes(event.type)) {
      if (event.seq <= (this.#lastSeq.get(event.type) ?? -1)) return;
      this.#lastSeq.set(event.type, event.seq);
    }
    if (event.type === 'ready') this.#onReady(event);
    else if (event.type === 'ack') this.#onAck(event.offset);
    else if (event.retry_after_s) this.#retryAfterMs = event.retry_after_s * 1000;
    if (event.server_busy || ['server_busy', 'audio_too_fast'].includes(event.code)) {
      this.#heldUntil = this.#heardAt + SILENT_WHILE_HELD_MS;
    }
    this.listener.onEvent(event);
    if (event.type === 'final_result' || event.type === 'final_result_error') this.#finish();
  }

  #onReady(event) {
    if (this.id && !event.resumed) this.#lastSeq.clear();
    this.id = event.session_id;
    this.acked = event.offset;
    this.#sent = event.offset;
    // A page that was loaded again has nothing from before: it goes on where the service stands.
    if (this.#audio.end < event.offset) this.#audio = new UnackedAudio(event.offset);
    this.#audio.forgetBefore(event.offset);
    this.#ready = true;
    this.listener.onLink({ state: 'live', resumed: event.resumed });
    this.#send();
  }

  #onAck(offset) {
    if (offset <= this.acked) return;
    this.acked = offset;
    this.#audio.forgetBefore(offset);
  }

  #send() {
    if (!this.#ready || this.#endSent) return;
    while (this.#sent < this.#audio.end) {
      if (this.#socket.bufferedAmount > HIGHEST_QUEUED_BYTES) {
        clearTimeout(this.#sendTimer);
        this.#sendTimer = setTimeout(() => this.#send(), 100);
        return;
      }
      const frame = this.#audio.read(this.#sent, FRAME_SAMPLES);
      this.#socket.send(frame);
      this.#sent += frame.length;
    }
    if (this.#ended) {
      this.#endSent = true;
      this.#socket.send('end');
      this.listener.onLink({ state: 'finishing' });
    }
  }

  #fail(code) {
    this.#finish();
    this.listener.onFailure(code);
  }

  #finish() {
    this.#over = true;
    clearInterval(this.#watch);
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#sendTimer);
    this.#ready = false;
    this.#socket?.close(1000);
    this.#socket = null;
  }
}

function base64url(text) {
  const bytes = String.fromCharCode(...new TextEncoder().encode(text));
  return btoa(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
