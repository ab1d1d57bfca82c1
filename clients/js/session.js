// One session: streams audio, survives broken connections, gives events.
//
// Three movements share one `ResumeState`: `#feed` fills it from the audio source, `#pump` empties it into the
// connection of the moment, `#take` applies what the server says to it.

import { Connection, reasonOf, refuse } from './connection.js';
import { openingOf, parse, recitationDialect, seqOf, transcriptionDialect } from './dialects.js';
import { Closed, GaveUp } from './errors.js';
import { DEFAULT_POLICY, ResumeState, delayMs } from './resume.js';
import { Signal } from './signal.js';
import { SampleReader } from './sound.js';
import { UnackedAudio } from './unacked_audio.js';

const FRAME_S = 0.3;
export const KEPT_S = 120; // unacknowledged audio that is kept: many times what a healthy server leaves unacknowledged
export const EVENTS_AHEAD = 256; // that wait for who iterates; beyond that the connection is left until there is room
const HIGHEST_BACKLOG = 256 * 1024; // bytes that may wait in the WebSocket's own buffer
const BACKLOG_AGAIN_MS = 100;
const SUBPROTOCOL = 'rattil.v1';

/** One session, from the first frame to the last event. Use once. */
export class Session extends EventTarget {
  #dialect;
  #urls;
  #protocols;
  #WebSocket;
  #policy;
  #random;
  #state;
  /** @type {Connection | null} */
  #connection = null;
  #endSent = false;
  #reached = false;
  #retryAfterMs = 0;
  #backlogTimer;
  /** @type {any} */
  #last = null;
  /** @type {any[] | null} events that wait for who iterates; null where nobody does */
  #queue = null;
  #leaving = new AbortController();
  #changed = new Signal();
  #begun = false;
  #wake = () => {};
  #hurry = () => {};
  /** How often the connection was lost. */
  reconnects = 0;

  /**
   * @param {import('./dialects.js').Dialect} dialect
   * @param {string | URL | (string | URL)[]} urls gateways (`ws://host:port`), taken in turn
   */
  constructor(dialect, urls, { token = '', policy = {}, resume = null, WebSocket: given, random = Math.random } = {}) {
    super();
    this.#WebSocket = given ?? globalThis.WebSocket;
    if (!this.#WebSocket) {
      throw new TypeError("this JavaScript has no WebSocket: npm install ws, and give its WebSocket as an option");
    }
    this.#dialect = dialect;
    this.#urls = [urls].flat().map((url) => String(url).replace(/^http/, 'ws'));
    if (!this.#urls.length) throw new TypeError('name at least one gateway');
    // Browsers cannot set headers, and addresses end up in logs: a key travels as a subprotocol.
    this.#protocols = token ? [SUBPROTOCOL, `rattil.key64.${base64url(token)}`] : [SUBPROTOCOL];
    this.#policy = { ...DEFAULT_POLICY, ...policy };
    this.#random = random;
    const audio = new UnackedAudio(KEPT_S * dialect.sampleRate, resume?.acked ?? 0);
    this.#state = new ResumeState(audio, resume);
  }

  /** The server's name for the session, once there is one: whoever knows it may resume it. */
  get sessionId() {
    return this.#state.sessionId;
  }

  /** What another page or program needs to go on with this session; null before there is one. */
  get resume() {
    const { sessionId, acked, lastSeq } = this.#state;
    return sessionId ? { sessionId, acked, lastSeq } : null;
  }

  /** Samples whose sound was no longer kept when the server asked for them: silence was sent instead. */
  get lostSamples() {
    return this.#state.lostSamples;
  }

  /**
   * Stream audio to its end; the events, the last one included.
   * Throws `Refused`, `GaveUp`, `UnreadableEvent`, or what the audio source throws.
   */
  async* stream(audio) {
    this.#queue = [];
    let failure = null;
    let over = false;
    const running = this.run(audio).catch((error) => { failure = error; }).finally(() => {
      over = true;
      this.#changed.notify();
    });
    try {
      for (;;) {
        if (this.#queue.length) {
          yield this.#queue.shift();
          this.#changed.notify();
        } else if (over) break;
        else await this.#changed.next();
      }
      if (failure && !(failure instanceof Closed)) throw failure;
    } finally {
      this.close();
      await running;
    }
  }

  /** The same without iterating: events go to listeners only; the last one is returned. */
  async run(audio) {
    if (this.#begun) throw new TypeError('a session is used once: make another one');
    this.#begun = true;
    const online = () => { this.#connection?.probe(); this.#hurry(); };
    globalThis.addEventListener?.('online', online);
    const source = iteratorOf(audio);
    const fed = this.#feed(source);
    const failed = new Promise((_, reject) => { fed.catch(reject); }); // a broken source ends the session
    try {
      return await Promise.race([this.#talk(), failed]);
    } finally {
      globalThis.removeEventListener?.('online', online);
      this.close();
      // Not awaited: a source that waits for its next piece would answer after that piece.
      Promise.resolve(source.return?.()).catch(() => {});
    }
  }

  /** No more audio is read from the source: what was sent is answered. May be called twice. */
  endAudio() {
    this.#state.sourceEnded = true;
    this.#changed.notify();
    this.#pump();
  }

  /**
   * A command beside the audio, such as `{type: 'flush'}`. False if there is no connection now: it is not kept.
   * @param {object} message
   */
  command(message) {
    if (!this.#connection?.ready) return false;
    this.#connection.send(JSON.stringify(message));
    return true;
  }

  /** Leave the server without waiting for more. May be called twice. */
  close() {
    this.#leaving.abort();
    clearTimeout(this.#backlogTimer);
    this.#connection?.leave();
    this.#wake();
    this.#changed.notify();
  }

  // -- audio in ------------------------------------------------------------------------------
  async #feed(source) {
    const reader = new SampleReader();
    for (;;) {
      const { done, value } = await source.next();
      if (done) return this.endAudio();
      if (this.#stopped || !await this.#keep(reader.read(value))) return;
    }
  }

  /** Waits until there is room; false if the session or its audio ended meanwhile. */
  async #keep(samples) {
    const { audio } = this.#state;
    const step = this.#frameSamples;
    for (let start = 0; start < samples.length; start += step) {
      while (audio.room < step && !this.#stopped) await this.#changed.next();
      if (this.#stopped) return false;
      audio.append(samples.subarray(start, start + step));
      this.#pump();
    }
    return true;
  }

  get #stopped() {
    return this.#leaving.signal.aborted || this.#state.sourceEnded;
  }

  get #frameSamples() {
    return Math.floor(FRAME_S * this.#dialect.sampleRate);
  }

  // -- connections ---------------------------------------------------------------------------
  async #talk() {
    let failures = 0;
    for (let attempt = 0; ; attempt += 1) {
      await this.#roomForEvents();
      const { why, wasReady } = await this.#attempt(attempt);
      if (this.#last) return this.#last;
      if (this.#leaving.signal.aborted) throw new Closed('the session was closed before it was complete');
      failures = wasReady ? 1 : failures + 1;
      const most = this.#reached ? this.#policy.giveUpAfter : this.#policy.giveUpUnreached;
      if (failures > most) throw new GaveUp(this.#whyGivenUp(failures, why));
      const leastMs = this.#retryAfterMs;
      const waitMs = delayMs(this.#policy, failures, this.#random, leastMs);
      this.#retryAfterMs = 0;
      this.reconnects += 1;
      this.#tell('reconnect', { reason: why, delayMs: waitMs });
      await this.#pause(waitMs, leastMs > 0);
    }
  }

  /** One connection: why another attempt is worth while, unless the last event has come. */
  async #attempt(attempt) {
    /** @type {any} */
    let failure = null;
    const connection = new Connection(this.#WebSocket, this.#address(attempt), this.#protocols, (data) => {
      try {
        this.#take(connection, data);
      } catch (error) {
        failure = error;
        connection.drop('unreadable');
      }
    });
    this.#connection = connection;
    this.#endSent = false;
    if (this.#leaving.signal.aborted) connection.leave();
    const end = await connection.ended;
    this.#connection = null;
    if (failure) throw failure;
    this.#reached ||= end.opened;
    if (!this.#last && !this.#leaving.signal.aborted) refuse(end);
    return { why: reasonOf(end), wasReady: connection.wasReady };
  }

  /** The URL for the n-th attempt: gateways in turn. */
  #address(attempt) {
    const url = new URL(this.#urls[attempt % this.#urls.length]);
    url.pathname = url.pathname.replace(/\/+$/, '') || this.#dialect.path;
    url.search = String(new URLSearchParams({ ...this.#dialect.query, ...this.#state.query() }));
    url.hash = '';
    return url.href;
  }

  #whyGivenUp(failures, why) {
    if (this.#reached) return `gave up after ${failures} attempts; the last one: ${why}`;
    return `nothing answers at ${this.#urls.map((url) => new URL(url).host).join(', ')} (${why})`;
  }

  /** Ends early when the session is left, or the network comes back and the server asked for no pause. */
  async #pause(ms, asked) {
    if (this.#leaving.signal.aborted) return;
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => { clearTimeout(timer); resolve(undefined); };
      if (!asked) this.#hurry = this.#wake;
    });
    this.#wake = () => {};
    this.#hurry = () => {};
  }

  async #roomForEvents() {
    while (this.#queue && this.#queue.length > EVENTS_AHEAD / 2 && !this.#leaving.signal.aborted) {
      await this.#changed.next();
    }
  }

  // -- frames out ----------------------------------------------------------------------------
  #pump() {
    const connection = this.#connection;
    if (!connection?.ready || this.#endSent) return;
    while (this.#state.sent < this.#state.audio.end) {
      if (connection.backlog > HIGHEST_BACKLOG) {
        clearTimeout(this.#backlogTimer);
        this.#backlogTimer = setTimeout(() => this.#pump(), BACKLOG_AGAIN_MS);
        return;
      }
      connection.send(this.#state.nextFrame(this.#frameSamples));
    }
    if (!this.#state.allSent) return;
    this.#endSent = true;
    connection.send(this.#dialect.end);
    this.#tell('allsent', null);
  }

  // -- events in -----------------------------------------------------------------------------
  #take(connection, message) {
    const [dialect, state] = [this.#dialect, this.#state];
    const event = parse(dialect, message);
    if (!event) return;
    if (this.#queue && this.#queue.length >= EVENTS_AHEAD) {
      connection.drop('events were not read in time'); // a resume gives it again
      return;
    }
    if (!state.isNew(event.type, seqOf(dialect, event))) return;
    const opening = openingOf(dialect, event);
    if (opening) {
      state.onOpening(opening);
      connection.becomeReady();
    }
    if (event.type === 'ack') state.onAck(event.offset);
    if (event.retry_after_s) this.#retryAfterMs = event.retry_after_s * 1000;
    if (event.server_busy || HELD.has(event.code)) connection.held();
    if (dialect.last.has(event.type)) this.#last = event;
    this.#queue?.push(event);
    this.#tell(event.type, event);
    this.#tell('event', event);
    this.#changed.notify();
    if (this.#last) connection.leave();
    else this.#pump();
  }

  #tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

/** How every word of the verses stands, and the report at the end: `/ws/recite`. */
export class Recitation extends Session {
  constructor(urls, { surah, ayah, to, query, ...options }) {
    super(recitationDialect({ surah, ayah, to, query }), urls, options);
  }
}

/** Utterances while they are spoken: `/v1/audio/transcriptions/stream`. */
export class Transcription extends Session {
  constructor(urls, { language, sampleRate, query, ...options } = {}) {
    super(transcriptionDialect({ language, sampleRate, query }), urls, options);
  }
}

/** Codes of a server that reads later than audio comes. */
const HELD = new Set(['server_busy', 'audio_too_fast']);

function iteratorOf(audio) {
  const begin = audio?.[Symbol.asyncIterator] ?? audio?.[Symbol.iterator];
  if (!begin || ArrayBuffer.isView(audio)) {
    throw new TypeError('audio is an iterable of pieces; for one that is complete: pieces(pcm)');
  }
  return begin.call(audio);
}

function base64url(text) {
  const bytes = String.fromCharCode(...new TextEncoder().encode(text));
  return btoa(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
