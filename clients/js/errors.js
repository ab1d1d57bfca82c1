// How a session can fail for good.

/** Any of the below. */
export class ClientError extends Error {
  constructor(message, options) {
    super(message, options);
    this.name = this.constructor.name;
  }
}

/** The server ended the session for good: trying again would not help. */
export class Refused extends ClientError {
  /**
   * @param {number} code a close code, or the HTTP status of the handshake where it is known
   * @param {string} reason
   */
  constructor(code, reason) {
    super(reason || `closed with code ${code}`);
    this.code = code;
    this.reason = reason;
  }
}

/** No server could be reached, or none stayed, for too many attempts in a row. */
export class GaveUp extends ClientError {}

/** The peer does not speak this dialect. */
export class UnreadableEvent extends ClientError {}

/** `close()` was called before the session was complete. */
export class Closed extends ClientError {}

/** The microphone cannot be used. `code`: `denied`, `missing`, `busy` or `insecure`. */
export class NoMicrophone extends ClientError {
  /** @param {'denied' | 'missing' | 'busy' | 'insecure'} code @param {string} message @param {ErrorOptions} [options] */
  constructor(code, message, options) {
    super(message, options);
    this.code = code;
  }
}
