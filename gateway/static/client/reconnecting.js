// When to come back to the service, and how soon (docs/protocol.md, "Close codes").

const BACKOFF_BASE_MS = 250;
const BACKOFF_CAP_MS = 5000;

/** Whether a close code means "reconnect and resume". */
export function isRetryable(code) {
  return [1001, 1005, 1006, 1011, 1012, 1013].includes(code) || (code >= 4000 && code <= 4499);
}

/** Milliseconds before the next attempt: exponential with full jitter. */
export function backoffMs(failures, random = Math.random) {
  return random() * Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(failures - 1, 16));
}
