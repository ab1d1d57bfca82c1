// Types of Rattil's client. Fields are those of docs/protocol.md and docs/clients/transcriptions.md; a newer server
// may send more.

/** Any of the errors below. */
export class ClientError extends Error {}
/** The server ended the session for good. `code`: a close code, or an HTTP status of the handshake. */
export class Refused extends ClientError {
  readonly code: number;
  readonly reason: string;
}
/** No server could be reached, or none stayed. */
export class GaveUp extends ClientError {}
/** The peer does not speak this protocol. */
export class UnreadableEvent extends ClientError {}
/** `close()` was called before the session was complete. */
export class Closed extends ClientError {}
/** The microphone cannot be used. */
export class NoMicrophone extends ClientError {
  readonly code: 'denied' | 'missing' | 'busy' | 'insecure';
}

/** 16-bit samples, or bytes of PCM16 (little-endian, mono), in pieces of any size. */
export type Piece = Int16Array | Uint8Array | ArrayBuffer | DataView;
export type AudioSource = AsyncIterable<Piece> | Iterable<Piece>;

/** How long and how often a session tries to come back. */
export interface ReconnectPolicy {
  baseMs: number;
  capMs: number;
  /** Failures in a row, without a first event, after which it gives up. */
  giveUpAfter: number;
  /** The same while no server was ever reached: then the address is probably wrong. */
  giveUpUnreached: number;
}

/** What another page or program needs to go on with a session. */
export interface Resume {
  sessionId: string;
  acked: number;
  lastSeq: number;
}

/** A WebSocket of any maker: that of the browser, of Node 22, of the package `ws`. */
export type WebSocketClass = new (url: string, protocols?: string[]) => any;

export interface SessionOptions {
  /** An API key, where one is needed. It travels beside the address, never in it. */
  token?: string;
  policy?: Partial<ReconnectPolicy>;
  /** Go on with this session instead of beginning one. */
  resume?: Resume | null;
  /** Needed where there is no global one: Node 20. */
  WebSocket?: WebSocketClass;
  /** More of the protocol's query, such as `{window: 1}` or `{word_timestamps: true}`. */
  query?: Record<string, string | number | boolean | undefined | null>;
  random?: () => number;
}

/** The connection was lost; another attempt follows after `delayMs`. */
export interface Reconnect {
  reason: string;
  delayMs: number;
}

type OwnEvents<E> = { event: E; reconnect: Reconnect; allsent: null };
type Detail<E extends { type: string }, K extends string> =
  K extends keyof OwnEvents<E> ? OwnEvents<E>[K] : Extract<E, { type: K }>;

/** One session, from the first frame to the last event: an `EventTarget` with events of its own. Use once. */
export class Session<E extends { type: string }, Last extends E = E> {
  protected constructor();
  /** The server's name for the session, '' before there is one: whoever knows it may resume it. */
  readonly sessionId: string;
  /** What another page needs to go on with it; null before there is a session. */
  readonly resume: Resume | null;
  /** How often the connection was lost. */
  readonly reconnects: number;
  /** Samples that were no longer kept when the server asked for them. */
  readonly lostSamples: number;
  /** Stream audio to its end; the events, the last one included. */
  stream(audio: AudioSource): AsyncGenerator<E, void, undefined>;
  /** The same for listeners; the last event. */
  run(audio: AudioSource): Promise<Last>;
  /** No more audio is read from the source: what was sent is answered. */
  endAudio(): void;
  /** A command beside the audio. False if there is no connection now: it is not kept. */
  command(message: { type: string; [field: string]: unknown }): boolean;
  /** Leave the server without waiting for more. */
  close(): void;
  /** `event`: any event of the server; its `type`: those of that kind; `reconnect`, `allsent`: the client's own. */
  addEventListener<K extends E['type'] | keyof OwnEvents<E>>(
    kind: K,
    listener: ((event: CustomEvent<Detail<E, K>>) => void) | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<K extends E['type'] | keyof OwnEvents<E>>(
    kind: K, listener: ((event: CustomEvent<Detail<E, K>>) => void) | null, options?: boolean | EventListenerOptions,
  ): void;
}

export interface RecitationOptions extends SessionOptions {
  surah: number;
  ayah: number;
  to?: number;
}

/** How every word of the verses stands, and the report at the end: `/ws/recite`. */
export class Recitation extends Session<RecitationEvent, FinalResult | FinalResultError> {
  /** `urls`: one or more gateways, taken in turn. */
  constructor(urls: string | URL | (string | URL)[], options: RecitationOptions);
}

export interface TranscriptionOptions extends SessionOptions {
  language?: string;
  /** Of the audio that is given, in Hz; default 16000. */
  sampleRate?: number;
}

/** Utterances while they are spoken: `/v1/audio/transcriptions/stream`. */
export class Transcription extends Session<TranscriptionEvent, SessionEnd> {
  constructor(urls: string | URL | (string | URL)[], options?: TranscriptionOptions);
}

/** Audio in pieces of 200 ms; in real time each comes when it would have been recorded. */
export function pieces(
  pcm: Piece, options?: { realtime?: boolean; sampleRate?: number },
): AsyncGenerator<Int16Array, void, undefined>;

export interface MicrophoneOptions {
  /** That of the session; default 16000. The device may have any. */
  sampleRate?: number;
  /** Of `getUserMedia`, such as `{deviceId}`. */
  constraints?: Record<string, unknown>;
  /** Where `recorder.js` is, if it is not beside the module. */
  recorderUrl?: string | URL;
}

export type Incident = 'interrupted' | 'back' | 'changed' | 'lost' | 'dropped';

/** The microphone of a browser. Use once. */
export class Microphone extends EventTarget implements AsyncIterable<Int16Array> {
  constructor(options?: MicrophoneOptions);
  /** Samples that were thrown away because nobody took them for a minute. */
  readonly dropped: number;
  /** Throws `NoMicrophone`. */
  open(): Promise<this>;
  /** No more is recorded; what was recorded before is still given. */
  stop(): Promise<void>;
  addEventListener(
    kind: Incident, listener: ((event: Event) => void) | null, options?: boolean | AddEventListenerOptions,
  ): void;
  [Symbol.asyncIterator](): AsyncIterator<Int16Array, undefined, undefined>;
}

// -- /ws/recite ----------------------------------------------------------------------------------
export type WordStatus = 'correct' | 'minor_mistake' | 'wrong' | 'missing' | 'pending' | 'not_judged';

/** The first event of every connection. */
export interface Ready {
  type: 'ready';
  session_id: string;
  connection_id: string;
  verse_key: string;
  passage: string;
  words: string[];
  window_seconds: number;
  epoch: string;
  resumed: boolean;
  next_seq: number;
  offset: number;
  max_session_seconds: number;
  model: string;
  /** Samples whose results are lost. */
  gap?: { from_offset: number; to_offset: number };
}

/** Audio before this sample is safe. */
export interface Ack {
  type: 'ack';
  offset: number;
}

/** The state of one word. Times in seconds of the session. */
export interface WordState {
  word: string;
  status: WordStatus;
  final: boolean;
  index: number;
  verse_key: string;
  confidence: number | null;
  start_time: number | null;
  end_time: number | null;
  heard: string | null;
}

export interface AudioQuality {
  level: 'good' | 'poor';
  reason: string | null;
}

/** The state of all words after one more window of audio. */
export interface PartialResult {
  type: 'partial_result';
  seq: number;
  partial_transcript: string;
  word_feedback: WordState[];
  pointer: number;
  server_busy: boolean;
  audio_quality: AudioQuality;
  latency_ms: { buffer_ms: number; queued_ms: number; inference_ms: number; total_ms: number };
  notice?: { code: string; message: string };
}

/** One word of the report. */
export interface WordVerdict {
  word: string;
  status: WordStatus;
  confidence: number | null;
  feedback: string | null;
  start_time: number | null;
  end_time: number | null;
  index: number;
  verse_key: string;
  heard: string | null;
  expected: string | null;
}

/** The report; `POST /verify` gives the same. */
export interface Report {
  word_analysis: WordVerdict[];
  transcribed_text: string;
  accuracy_score: number | null;
  extra_words: string[];
  wer: number | null;
  cer: number | null;
  counts: Record<string, number>;
  coverage: number;
  verse_range: string;
  complete: boolean;
  gaps: { start_time: number; end_time: number }[];
  audio_quality: AudioQuality;
  model: string;
  [field: string]: unknown;
}

/** The end of a recitation that was graded. */
export interface FinalResult {
  type: 'final_result';
  result: Report;
  peeked?: number[];
  /** With `enhance_on_end=true`: what `GET /v1/audio/transcriptions/{job_id}` takes. */
  enhancement_job_id?: string;
  /** With `enhance_on_end=true`: why there is no such job. */
  enhancement_dropped?: string;
}

/** The end of a recitation that could not be graded as a whole. */
export interface FinalResultError {
  type: 'final_result_error';
  code: string;
  message: string;
  fallback: string;
  /** With `enhance_on_end=true`: what `GET /v1/audio/transcriptions/{job_id}` takes. */
  enhancement_job_id?: string;
  /** With `enhance_on_end=true`: why there is no such job. */
  enhancement_dropped?: string;
}

/** Something went wrong; with `seq` it is the outcome of that segment, and the session goes on. */
export interface RecitationError {
  type: 'error';
  code: string;
  message: string;
  fallback: string;
  seq?: number;
  retry_after_s?: number;
  gap?: { from_offset: number; to_offset: number };
}

/** Something about the sound that the reciter can mend. */
export interface Notice {
  type: 'notice';
  code: string;
  message: string;
}

export type RecitationEvent =
  | Ready | Ack | PartialResult | FinalResult | FinalResultError | RecitationError | Notice;

// -- /v1/audio/transcriptions/stream -------------------------------------------------------------
/** Samples whose results are lost. */
export interface Gap {
  from_sample: number;
  to_sample: number;
}

/** The first event of every connection. */
export interface SessionBegin {
  type: 'session.begin';
  session_id: string;
  language: string;
  model: string;
  sample_rate: number;
  resumed: boolean;
  next_seq: number;
  offset: number;
  gap?: Gap;
  /** Only with `multichannel=true`, which this client does not follow. */
  channel?: number;
}

/** Somebody begins or stops to speak at this second of the session. */
export interface SpeechStart {
  type: 'vad.speech_start';
  at: number;
  /** Only with `multichannel=true`, which this client does not follow. */
  channel?: number;
}
export interface SpeechEnd {
  type: 'vad.speech_end';
  at: number;
  /** Only with `multichannel=true`, which this client does not follow. */
  channel?: number;
}

/** An utterance so far; `stable_text` begins `text` and never changes. Times in seconds. */
export interface TranscriptPartial {
  type: 'transcript.partial';
  seq: number;
  utterance: number;
  text: string;
  stable_text: string;
  start: number;
  end: number;
  /** Only with `multichannel=true`, which this client does not follow. */
  channel?: number;
}

export interface TranscriptWord {
  word: string;
  start: number | null;
  end: number | null;
  confidence: number;
}

/** An utterance has ended: it never changes. `words`: with `query: {word_timestamps: true}`. */
export interface TranscriptFinal {
  type: 'transcript.final';
  seq: number;
  utterance: number;
  text: string;
  start: number;
  end: number;
  words?: TranscriptWord[];
  /** Only with `multichannel=true`, which this client does not follow. */
  channel?: number;
}

/** The session goes on. */
export interface Warned {
  type: 'warning';
  code: string;
  message: string;
  gap?: Gap;
  /** Only with `multichannel=true`, which this client does not follow. */
  channel?: number;
}

/** A part failed (`seq`), or the connection ends now. */
export interface TranscriptionError {
  type: 'error';
  code: string;
  message: string;
  seq?: number;
  retry_after_s?: number;
  /** Only with `multichannel=true`, which this client does not follow. */
  channel?: number;
}

/** Everything is answered. */
export interface SessionEnd {
  type: 'session.end';
  transcript: string;
  /** With `enhance_on_end=true`: what `GET /v1/audio/transcriptions/{job_id}` takes. */
  enhancement_job_id?: string;
  /** Only with `multichannel=true`, which this client does not follow. */
  channel?: number;
}

export type TranscriptionEvent =
  | SessionBegin | Ack | SpeechStart | SpeechEnd | TranscriptPartial | TranscriptFinal | Warned | TranscriptionError
  | SessionEnd;
