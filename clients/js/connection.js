// One WebSocket, from its handshake to its close, and whether anybody is still there.

import { Refused } from './errors.js';
import { meansLater, meansReconnect } from './resume.js';

export const READY_WITHIN_MS = 15_000; // from the handshake's start to the first event
const LOOK_EVERY_MS = 500;
const PING_AFTER_MS = 2_500; // of quiet
const SILENT_AFTER_MS = 10_000; // without any message although asked: the connection is dead
const SILENT_WHILE_HELD_MS = 30_000; // a server that holds audio back reads pings late
const PING = '{"type":"ping"}';

/**
 * How a connection ended. `code`: a close code, 1006 where there was none; `status`: the HTTP status that came
 * instead of a WebSocket, 0 where that is not known (browsers do not tell).
 * @typedef {{code: number, reason: string, opened: boolean, status: number}} End
 */

export class Connection {
  #socket;
  #opened = false;
  #ready = false;
  #status = 0;
  #over = false;
  #openedAt = Date.now();
  #heardAt = 0;
  #pingedAt = 0;
  #heldUntil = 0;
  #watch;
  #resolve;
  /** @type {Promise<End>} never rejects */
  ended;

  /**
   * @param {typeof WebSocket} WebSocketClass
   * @param {string} address
   * @param {string[]} protocols
   * @param {(data: unknown) => void} onMessage
   */
  constructor(WebSocketClass, address, protocols, onMessage) {
    this.ended = new Promise((resolve) => { this.#resolve = resolve; });
    const socket = new WebSocketClass(address, protocols);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => { this.#opened = true; };
    socket.onerror = () => {}; // `close` follows
    socket.onclose = ({ code, reason }) => this.#end(code, reason);
    socket.onmessage = ({ data }) => {
      this.#heardAt = Date.now();
      if (!this.#over) onMessage(data);
    };
    // The package `ws` tells the answer of a server that opens no WebSocket.
    socket.on?.('unexpected-response', (request, response) => {
      this.#status = response.statusCode;
      request.destroy();
      this.#end(1006, '');
    });
    this.#socket = socket;
    this.#watch = setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  /** Whether the first event has come: audio may be sent. */
  get ready() {
    return this.#ready && !this.#over;
  }

  /** Whether it ever came. */
  get wasReady() {
    return this.#ready;
  }

  /** The session is open. */
  becomeReady() {
    this.#ready = true;
  }

  /** Bytes that wait in the WebSocket's own buffer. */
  get backlog() {
    return this.#socket.bufferedAmount;
  }

  /** @param {string | Int16Array} frame */
  send(frame) {
    this.#socket.send(frame);
  }

  /** The server said that it holds audio back: have patience. */
  held() {
    this.#heldUntil = Date.now() + SILENT_WHILE_HELD_MS;
  }

  /** Ask now whether anybody is there: the device says that its network changed. */
  probe() {
    if (this.ready) this.#ping();
  }

  /** Take it for lost: another connection follows. */
  drop(reason) {
    if (this.#over) return;
    this.#end(1006, reason);
    // `ws` would wait for a close frame that may never come; browsers have no other way.
    if (this.#socket.terminate) this.#socket.terminate();
    else this.#socket.close();
  }

  /** Nothing more is wanted of it. */
  leave() {
    if (this.#over) return;
    this.#end(1000, 'left');
    this.#socket.close(1000);
  }

  #end(code, reason) {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#watch);
    this.#resolve({ code, reason, opened: this.#opened, status: this.#status });
  }

  #look() {
    const now = Date.now();
    if (!this.#ready) {
      if (now - this.#openedAt > READY_WITHIN_MS) this.drop('no answer in time');
      return;
    }
    const quiet = now - this.#heardAt;
    const patience = now < this.#heldUntil ? SILENT_WHILE_HELD_MS : SILENT_AFTER_MS;
    const asked = this.#pingedAt > this.#heardAt;
    // Asked first, so that a page that slept does not take its own sleep for the server's.
    if (asked && quiet > patience && now - this.#pingedAt > PING_AFTER_MS) this.drop('the server is silent');
    else if (!asked && quiet > PING_AFTER_MS) this.#ping();
  }

  #ping() {
    this.#pingedAt = Date.now();
    this.#socket.send(PING);
  }
}

/** Throws `Refused` where the end says not to come back. @param {End} end */
export function refuse({ code, reason, status }) {
  if (status && !meansLater(status)) throw new Refused(status, `the server answered HTTP ${status} to the handshake`);
  if (!meansReconnect(code)) throw new Refused(code, reason);
}

/** Why to come back, for people. @param {End} end */
export function reasonOf({ code, reason, opened, status }) {
  if (status) return `HTTP ${status}`;
  if (code !== 1006) return `${code} ${reason}`.trim();
  return reason || (opened ? 'connection lost' : 'no connection');
}
