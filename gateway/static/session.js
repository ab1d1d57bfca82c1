// One recitation over /ws/recite, across as many connections as it takes (docs/protocol.md).
// Knows nothing of the page: it reports through callbacks.

const SAMPLE_RATE = 16000;
const FRAME_SAMPLES = 4800; // 300 ms
const LONGEST_UNACKED = 120 * SAMPLE_RATE; // two minutes of audio kept for a broken connection
const HIGHEST_QUEUED_BYTES = 256 * 1024; // what may wait in the browser's own send buffer
const GIVE_UP_AFTER = 12; // failures in a row
const BACKOFF_BASE_MS = 250;
const BACKOFF_CAP_MS = 10000;

/** The stretch of samples from the last acked one to the newest: what a reconnect may have to send again. */
export class UnackedAudio {
  #chunks = []; // {start, samples: Int16Array}
  start = 0;
  end = 0;

  append(samples) {
    if (this.end - this.start + samples.length > LONGEST_UNACKED) return false;
    this.#chunks.push({ start: this.end, samples });
    this.end += samples.length;
    return true;
  }

  forgetBefore(sample) {
    this.start = Math.min(Math.max(this.start, sample), this.end);
    while (this.#chunks.length && this.#chunks[0].start + this.#chunks[0].samples.length <= this.start) {
      this.#chunks.shift();
    }
  }

  /** Samples from `from` on; what is no longer kept is silence, so that time stays true. */
  read(from, most) {
    const length = Math.max(0, Math.min(most, this.end - from));
    const out = new Int16Array(length);
    for (const { start, samples } of this.#chunks) {
      if (start >= from + length || start + samples.length <= from) continue;
      const skip = Math.max(0, from - start);
      const part = samples.subarray(skip, Math.min(samples.length, from + length - start));
      out.set(part, Math.max(0, start - from));
    }
    return out;
  }
}

/** Close codes that mean "reconnect and resume". */
export function isRetryable(code) {
  return [1001, 1005, 1006, 1011, 1012, 1013].includes(code) || (code >= 4000 && code <= 4499);
}

/** Milliseconds before the next attempt: exponential with full jitter. */
export function backoffMs(failures, random = Math.random) {
  return random() * Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(failures - 1, 16));
}

export class RecitationSession {
  #audio = new UnackedAudio();
  #socket = null;
  #sent = 0;
  #ready = false;
  #ended = false; // no more audio will come
  #endSent = false;
  #over = false;
  #failures = 0;
  #lastSeq = new Map();
  #retryAfterMs = 0;
  #timer = 0;
  id = '';
  acked = 0;

  /**
   * @param {{surah: number, ayah: number, to: number, token?: string}} passage
   * @param {{onEvent: Function, onState: Function, onFailure: Function}} listener
   *   onEvent(event): each server event once. onState(text, kind): for a status line.
   *   onFailure(message): the session is over without a final result.
   */
  constructor(passage, listener, origin = location.origin) {
    this.passage = passage;
    this.listener = listener;
    this.origin = origin.replace(/^http/, 'ws');
  }

  start() {
    this.#connect();
  }

  /** @param {Int16Array} samples 16 kHz mono. False if too much is waiting to be sent. */
  push(samples) {
    if (this.#over || this.#ended) return false;
    const kept = this.#audio.append(samples);
    if (!kept) this.#fail('The connection has been away for too long; the recording was stopped.');
    this.#send();
    return kept;
  }

  /** No more audio: ask for the final result. */
  end() {
    this.#ended = true;
    this.#send();
  }

  /** Leave without a result. */
  abandon() {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#socket?.close(1000);
  }

  /** For tests and the page's "break the connection" key: drop the socket as a bad network would. */
  dropConnection() {
    this.#socket?.close(4000);
  }

  #address() {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(this.passage)) if (value) query.set(name, value);
    if (this.id) {
      query.set('session_id', this.id);
      query.set('offset', this.acked);
      const last = Math.max(-1, ...this.#lastSeq.values());
      if (last >= 0) query.set('last_seq', last);
    }
    return `${this.origin}/ws/recite?${query}`;
  }

  #connect() {
    this.listener.onState(this.id ? 'Reconnecting …' : 'Connecting …', 'waiting');
    const socket = new WebSocket(this.#address());
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    this.#ready = false;
    this.#endSent = false;
    socket.onmessage = (message) => this.#take(message.data);
    socket.onclose = (close) => {
      if (socket === this.#socket) this.#closed(close);
    };
  }

  #closed({ code, reason }) {
    if (this.#over) return;
    const wasReady = this.#ready;
    this.#ready = false;
    if (!isRetryable(code)) return this.#fail(reason || `The server ended the session (code ${code}).`);
    this.#failures = wasReady ? 1 : this.#failures + 1;
    if (this.#failures > GIVE_UP_AFTER) return this.#fail('The service cannot be reached; please try again later.');
    const wait = this.#retryAfterMs + backoffMs(this.#failures);
    this.#retryAfterMs = 0;
    this.listener.onState(`Connection lost; trying again in ${(wait / 1000).toFixed(1)} s`, 'waiting');
    this.#timer = setTimeout(() => this.#connect(), wait);
  }

  #take(text) {
    const event = JSON.parse(text);
    if (Number.isInteger(event.seq) && ['partial_result', 'error'].includes(event.type)) {
      if (event.seq <= (this.#lastSeq.get(event.type) ?? -1)) return;
      this.#lastSeq.set(event.type, event.seq);
    }
    if (event.type === 'ready') this.#onReady(event);
    else if (event.type === 'ack') this.#onAck(event.offset);
    else if (event.retry_after_s) this.#retryAfterMs = event.retry_after_s * 1000;
    this.listener.onEvent(event);
    if (event.type === 'final_result' || event.type === 'final_result_error') {
      this.#over = true;
      this.#socket.close(1000);
    }
  }

  #onReady(event) {
    if (this.id && !event.resumed) this.#lastSeq.clear();
    this.id = event.session_id;
    this.acked = event.offset;
    this.#sent = event.offset;
    this.#audio.forgetBefore(event.offset);
    this.#ready = true;
    this.listener.onState(event.resumed ? 'Connected again, nothing was lost' : 'Listening', 'live');
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
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#send(), 100);
        return;
      }
      const frame = this.#audio.read(this.#sent, FRAME_SAMPLES);
      this.#socket.send(frame);
      this.#sent += frame.length;
    }
    if (this.#ended) {
      this.#endSent = true;
      this.#socket.send('end');
      this.listener.onState('All sent, waiting for the result …', 'waiting');
    }
  }

  #fail(message) {
    this.#over = true;
    this.#socket?.close(1000);
    this.listener.onFailure(message);
  }
}
