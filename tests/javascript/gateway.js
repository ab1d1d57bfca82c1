// A gateway for tests of the client: real WebSockets, answers as a test tells it.

import { createServer } from 'node:http';
import { once } from 'node:events';
import { WebSocketServer } from 'ws';

/** One WebSocket of the client, from the gateway's side. */
class Line {
  #waiting = [];
  texts = [];
  #sound = [];
  #bytes = 0;
  closed = false;

  constructor(socket, request, protocols) {
    this.socket = socket;
    this.query = Object.fromEntries(new URL(request.url, 'http://gateway').searchParams);
    this.path = new URL(request.url, 'http://gateway').pathname;
    this.protocols = protocols;
    socket.on('message', (data, binary) => {
      if (binary) {
        this.#sound.push(data);
        this.#bytes += data.length;
      } else this.texts.push(String(data));
      this.#moved();
    });
    socket.on('close', () => { this.closed = true; this.#moved(); });
    socket.on('error', () => {});
  }

  send(...events) {
    for (const event of events) this.socket.send(typeof event === 'string' ? event : JSON.stringify(event));
  }

  ready(fields = {}) {
    this.send({ type: 'ready', session_id: 's1', resumed: false, next_seq: 0, offset: 0, ...fields });
  }

  /** All samples of this connection. */
  get samples() {
    const all = Buffer.concat(this.#sound);
    return new Int16Array(all.buffer.slice(all.byteOffset, all.byteOffset + all.length));
  }

  /** Wait until so many samples came on this connection. */
  heard(samples) {
    return this.#until(() => this.#bytes >= 2 * samples);
  }

  asked(text) {
    return this.#until(() => this.texts.includes(text));
  }

  gone() {
    return this.#until(() => this.closed);
  }

  async #until(true_) {
    while (!true_()) {
      if (this.closed) throw new Error('the client has left');
      await new Promise((resolve) => { this.#waiting.push(resolve); });
    }
  }

  #moved() {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/**
 * A gateway that runs one script for each connection, the last one again and again. A number instead of a script is
 * an HTTP status that refuses the handshake.
 */
export async function gateway(...scripts) {
  const lines = [];
  const refused = [];
  const server = createServer();
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, stream, head) => {
    const script = scripts[Math.min(lines.length + refused.length, scripts.length - 1)];
    if (typeof script === 'number') {
      refused.push(script);
      stream.end(`HTTP/1.1 ${script} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
      return;
    }
    const protocols = (request.headers['sec-websocket-protocol'] ?? '').split(/, ?/);
    sockets.handleUpgrade(request, stream, head, (socket) => {
      const line = new Line(socket, request, protocols);
      lines.push(line);
      Promise.resolve(script(line)).catch((error) => { if (!line.closed) throw error; });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stop = async () => {
    for (const socket of sockets.clients) socket.terminate();
    await new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); });
  };
  return { url: `ws://127.0.0.1:${server.address().port}`, lines, refused, [Symbol.asyncDispose]: stop, stop };
}
