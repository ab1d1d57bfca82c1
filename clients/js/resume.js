// What a client must remember to survive a broken connection: pure, no sockets, no clock.

/** @typedef {{sessionId: string, acked: number, lastSeq: number}} Resume what another page needs to go on */
/** @typedef {{sessionId: string, resumed: boolean, nextSeq: number, offset: number}} Opening */

/** One session as the client sees it, across all of its connections. Positions are samples of the session. */
export class ResumeState {
  sessionId = '';
  lastSeq = -1;
  acked = 0;
  sent = 0;
  sourceEnded = false;
  lostSamples = 0;
  /** @type {Map<string, number>} */
  #lastOfKind = new Map();
  #adopted = false;

  /**
   * @param {import('./unacked_audio.js').UnackedAudio} audio
   * @param {Resume | null} resume a session that an earlier page or program began
   */
  constructor(audio, resume = null) {
    this.audio = audio;
    if (!resume) return;
    this.sessionId = resume.sessionId;
    this.acked = resume.acked;
    this.lastSeq = resume.lastSeq;
    this.#adopted = true;
  }

  /** Query parameters that make the next connection continue this session; empty the first time. */
  query() {
    if (!this.sessionId) return {};
    const query = { session_id: this.sessionId, offset: String(this.acked) };
    return this.lastSeq < 0 ? query : { ...query, last_seq: String(this.lastSeq) };
  }

  /** Adopt what the server says: send again from `offset`; events restart where state was lost. @param {Opening} opening */
  onOpening({ sessionId, resumed, nextSeq, offset }) {
    if (this.sessionId && !resumed) {
      this.lastSeq = nextSeq - 1;
      this.#lastOfKind.clear();
    }
    this.sessionId = sessionId;
    if (this.#adopted) this.audio.moveTo(offset);
    this.#adopted = false;
    this.lostSamples += Math.max(0, this.audio.start - offset);
    this.audio.forgetBefore(offset);
    this.acked = resumed ? Math.max(this.acked, offset) : offset;
    this.sent = offset;
  }

  /** Audio before `offset` is safe on the server; it need not be kept any more. */
  onAck(offset) {
    if (offset <= this.acked) return;
    this.acked = offset;
    this.audio.forgetBefore(offset);
  }

  /** Whether this kind of event has not come with this seq yet; remembers it. No seq: always new. */
  isNew(kind, seq) {
    if (seq === undefined) return true;
    if (seq <= (this.#lastOfKind.get(kind) ?? -1)) return false;
    this.#lastOfKind.set(kind, seq);
    this.lastSeq = Math.max(this.lastSeq, seq);
    return true;
  }

  /** The next samples to send, empty if all recorded audio is sent; advances the send position. */
  nextFrame(most) {
    const samples = this.audio.read(this.sent, most);
    this.sent += samples.length;
    return samples;
  }

  /** Nothing more will come and everything recorded has been sent on this connection. */
  get allSent() {
    return this.sourceEnded && this.sent >= this.audio.end;
  }
}

export const DEFAULT_POLICY = Object.freeze({ baseMs: 250, capMs: 10_000, giveUpAfter: 12, giveUpUnreached: 4 });

/**
 * Milliseconds before the next attempt: exponential with full jitter, so that a herd of clients comes back spread out.
 * @param {typeof DEFAULT_POLICY} policy
 * @param {number} failures in a row, 1 or more
 * @param {() => number} random from 0 to 1
 */
export function delayMs(policy, failures, random, atLeastMs = 0) {
  return atLeastMs + random() * Math.min(policy.capMs, policy.baseMs * 2 ** Math.min(failures - 1, 16));
}

/** Close codes beside 4000 to 4499 that mean "reconnect and resume" (docs/protocol.md, "Close codes"). */
const RECONNECT = new Set([1001, 1005, 1006, 1011, 1012, 1013]);

/** Whether a close code means "reconnect and resume". */
export function meansReconnect(code) {
  return RECONNECT.has(code) || (code >= 4000 && code <= 4499);
}

/** Answers to a handshake that mean "later", not "no". */
const RETRYABLE_HTTP = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Whether an HTTP status instead of a WebSocket means "later". */
export function meansLater(status) {
  return RETRYABLE_HTTP.has(status);
}
