// The two wire formats: what a session needs to know of them. Pure.

import { UnreadableEvent } from './errors.js';

/**
 * @typedef {object} Dialect
 * @property {string} path
 * @property {number} sampleRate of the audio that is sent: PCM16 mono
 * @property {Record<string, string>} query the same for each connection of a session
 * @property {string} end the text frame that says that no more audio comes
 * @property {string} opening the first event of a connection
 * @property {ReadonlySet<string>} kinds events that this client knows; others are newer than it and left out
 * @property {ReadonlySet<string>} numbered with the same `seq` they are repetitions after a reconnect
 * @property {ReadonlySet<string>} last the session is complete with one of these
 */

/** The rate at which recitations travel, and what the microphone gives. */
export const SAMPLE_RATE = 16_000;

const RECITATION_KINDS = ['ready', 'ack', 'partial_result', 'final_result', 'final_result_error', 'error', 'notice'];
const TRANSCRIPTION_KINDS = [
  'session.begin', 'ack', 'vad.speech_start', 'vad.speech_end', 'transcript.partial', 'transcript.final', 'warning',
  'error', 'session.end',
];

/** `/ws/recite` (docs/protocol.md). @returns {Dialect} */
export function recitationDialect({ surah, ayah, to, query = {} }) {
  return {
    path: '/ws/recite',
    sampleRate: SAMPLE_RATE,
    query: asStrings({ surah, ayah, to, ...query }),
    end: 'end',
    opening: 'ready',
    kinds: new Set(RECITATION_KINDS),
    numbered: new Set(['partial_result', 'error']),
    last: new Set(['final_result', 'final_result_error']),
  };
}

/** `/v1/audio/transcriptions/stream` (docs/clients/transcriptions.md). @returns {Dialect} */
export function transcriptionDialect({ language = 'en', sampleRate = SAMPLE_RATE, query = {} } = {}) {
  return {
    path: '/v1/audio/transcriptions/stream',
    sampleRate,
    query: asStrings({ language, sample_rate: sampleRate, ...query }),
    end: '{"type":"end"}',
    opening: 'session.begin',
    kinds: new Set(TRANSCRIPTION_KINDS),
    numbered: new Set(['transcript.partial', 'transcript.final', 'error']),
    last: new Set(['session.end']),
  };
}

function asStrings(query) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(given.map(([name, value]) => [name, String(value)]));
}

/**
 * The event of a text frame, or null for one that this client does not know. Throws `UnreadableEvent`.
 * @param {Dialect} dialect
 * @param {unknown} message
 */
export function parse(dialect, message) {
  let event;
  try {
    event = JSON.parse(String(message));
  } catch (error) {
    throw new UnreadableEvent('the server sent something that is not JSON', { cause: error });
  }
  if (typeof event !== 'object' || event === null || typeof event.type !== 'string') {
    throw new UnreadableEvent('the server sent something that is no event: a JSON object with a `type`');
  }
  if (!dialect.kinds.has(event.type)) return null;
  checkShape(dialect, event);
  return event;
}

/** What the client itself relies on. */
function checkShape(dialect, event) {
  if (event.type === dialect.opening) {
    need(event, 'session_id', typeof event.session_id === 'string' && event.session_id !== '');
    need(event, 'offset', isCount(event.offset ?? 0));
    need(event, 'next_seq', isCount(event.next_seq ?? 0));
  } else if (event.type === 'ack') need(event, 'offset', isCount(event.offset));
  if (dialect.numbered.has(event.type)) need(event, 'seq', event.seq == null || isCount(event.seq));
  if (event.type === 'error') {
    const after = event.retry_after_s;
    need(event, 'retry_after_s', after == null || (typeof after === 'number' && after >= 0));
  }
}

const isCount = (value) => Number.isSafeInteger(value) && value >= 0;

function need(event, field, good) {
  if (good) return;
  const shown = JSON.stringify(event[field]) ?? 'nothing';
  throw new UnreadableEvent(`the server sent ${event.type} with a \`${field}\` that cannot be: ${shown}`);
}

/** Which session a connection is and from which sample audio is to be sent; null for another event. */
export function openingOf(dialect, event) {
  if (event.type !== dialect.opening) return null;
  const { session_id: sessionId, resumed = false, next_seq: nextSeq = 0, offset = 0 } = event;
  return { sessionId, resumed, nextSeq, offset };
}

/** The number of an event that is told once only; undefined for one that has none. */
export function seqOf(dialect, event) {
  return dialect.numbered.has(event.type) ? event.seq ?? undefined : undefined;
}
