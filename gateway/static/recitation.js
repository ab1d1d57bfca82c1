// One recitation: the session with the service, the sound that goes into it, and how every word stands.

import { Judgement, poorness } from './client/judgement.js';
import { RecitationSession } from './client/session.js';
import { SAMPLE_RATE } from './client/unacked_audio.js';
import { LevelWatch, loudness } from './sound/level.js';
import { Microphone } from './sound/microphone.js';
import { playRecording } from './sound/recording.js';
import { Take } from './sound/take.js';

/** Faults of a single window: its sound was not judged, the rest goes on. */
const LOST_WINDOW = new Set(['asr_failed', 'bad_audio', 'poison', 'expired', 'timeout']);
/** Nothing to tell the reciter: the status line says that it takes longer. */
const SLOW = new Set(['server_busy', 'audio_too_fast', 'draining']);

/** What the service hears in the sound, told as the page's own findings are. */
const ABOUT_SOUND = new Set(['too_quiet', 'not_this_passage']);

/**
 * @typedef {'waiting' | 'opening' | 'connecting' | 'reciting' | 'finishing' | 'over'} Phase
 * @typedef {{result: any | null, code: string | null}} Outcome  no result: judged live only, and why
 * @typedef {object} Listener
 * @property {(phase: Phase) => void} onPhase
 * @property {(link: import('./client/session.js').Link) => void} onLink
 * @property {(changed: number[]) => void} onWords
 * @property {(index: number) => void} onPointer the word expected next
 * @property {(rmsDb: number) => void} onLevel ten times a second
 * @property {(kind: 'sound' | 'quality' | 'service', code: string, values?: object) => void} onNotice empty code: all is well
 * @property {() => void} onProgress something that a reload would need has changed
 * @property {(outcome: Outcome) => void} onOver
 */

export class Recitation {
  #session;
  #source = null;
  #levels = new LevelWatch();
  #soundNotice = '';
  #told = { service: '', quality: '' }; // what the service says of the sound, as it was passed on last
  #gapSince = null; // {second, at}: the microphone gave nothing from then on
  #trouble = ''; // what the service said last on this connection: a close code alone says less
  #leftAt = -1; // second up to which an earlier page was heard; -1 if there was none
  #linked = false; // the service has said `ready`
  #startedAt = Date.now();
  /** @type {Phase} */
  phase = 'waiting';
  pointer = 0;
  busy = false;
  /** @type {Set<number>} */
  peeked;

  /**
   * @param {{passage: import('./passage/passage.js').Passage, printed: import('./passage/verses.js').Text,
   *          mode: string, key: string, saved?: Saved | null}} what
   * @param {Listener} listener
   *
   * @typedef {{resume: import('./client/session.js').Resume, statuses: string[], peeked: number[],
   *            gaps: import('./client/judgement.js').Gap[]}} Saved
   */
  constructor({ passage, printed, mode, key, saved = null }, listener) {
    this.passage = passage;
    this.printed = printed;
    this.mode = mode;
    this.listener = listener;
    this.judgement = new Judgement(printed.words.length);
    this.peeked = new Set(saved?.peeked);
    this.take = new Take(saved?.resume.acked ?? 0);
    if (saved) this.#restore(saved);
    this.#session = new RecitationSession(passage, {
      onEvent: (event) => this.#event(event),
      onLink: (link) => this.#link(link),
      onFailure: (code) => this.#over({ result: null, code: this.#trouble || code }),
    }, { key, resume: saved?.resume });
  }

  /** What another page needs to go on; null before the service has answered. @returns {Saved | null} */
  get saved() {
    const { resume } = this.#session;
    if (!resume || this.phase === 'over') return null;
    const statuses = this.judgement.words.map(({ status }) => status);
    return { resume, statuses, peeked: [...this.peeked], gaps: this.judgement.gaps };
  }

  /** Seconds of sound so far. */
  get seconds() {
    return this.#session.samples / SAMPLE_RATE;
  }

  get startedAt() {
    return this.#startedAt;
  }

  /**
   * Begin, from the microphone or with a recording. Rejects with an error that has a `code`.
   * @param {ArrayBuffer | null} recording
   */
  async begin(recording = null) {
    this.#to('opening');
    const onSamples = (samples) => this.#sound(samples);
    try {
      const source = recording
        ? await playRecording(recording, { onSamples, onEnd: () => this.stop() })
        : await new Microphone(onSamples, (incident) => this.#incident(incident)).open();
      if (this.phase === 'over') return void source.stop();
      this.#source = source;
    } catch (error) {
      this.#to('over');
      throw error;
    }
    this.#to('connecting');
    this.#session.start();
  }

  /** No more sound: the whole recitation is listened to once more. */
  async stop() {
    if (this.phase !== 'reciting' && this.phase !== 'connecting') return;
    this.#closeGap();
    await this.#closeSource();
    if (this.phase === 'over') return;
    this.#to('finishing');
    this.#session.end();
  }

  /** Leave; what was judged so far is the outcome. */
  cancel() {
    this.#leave('cancelled');
  }

  /** Leave, and keep nothing. */
  discard() {
    this.#leave('discarded');
  }

  /** The reciter looked at a hidden word. */
  peek(index) {
    if (this.peeked.has(index)) return;
    this.peeked.add(index);
    this.#session.command({ type: 'peek', word_index: index });
    this.listener.onProgress();
  }

  networkChanged(online) {
    this.#session.networkChanged(online);
  }

  /** For tests: as a bad network would. */
  dropConnection() {
    this.#session.dropConnection();
  }

  #leave(code) {
    this.#session.abandon();
    this.#over({ result: null, code });
  }

  #restore({ statuses, gaps, resume }) {
    this.judgement.take(statuses.map((status) => ({ status })));
    for (const gap of gaps) this.judgement.addGap(gap);
    this.#leftAt = resume.acked / SAMPLE_RATE;
  }

  #to(phase) {
    if (this.phase === 'over') return;
    this.phase = phase;
    this.listener.onPhase(phase);
  }

  #sound(samples) {
    if (this.phase === 'finishing' || this.phase === 'over') return;
    const level = loudness(samples);
    this.listener.onLevel(level.rmsDb);
    if (!this.#gapSince) this.#sayLevel(this.#levels.take(level));
    this.take.append(samples);
    this.#session.push(samples);
  }

  #sayLevel(verdict) {
    const notice = verdict === 'good' ? '' : verdict;
    if (notice === this.#soundNotice) return;
    this.#soundNotice = notice;
    this.listener.onNotice('sound', notice);
  }

  #incident(incident) {
    if (incident === 'back' || incident === 'changed') {
      const missed = this.#closeGap();
      this.#levels = new LevelWatch();
      if (missed) this.listener.onNotice('sound', 'missed', { seconds: missed });
      else this.listener.onNotice('sound', incident === 'changed' ? 'changed' : '');
      this.#soundNotice = '';
      return;
    }
    this.#gapSince ??= { second: this.seconds, at: Date.now() };
    this.#soundNotice = incident;
    this.listener.onNotice('sound', incident);
  }

  /** @returns {number} whole seconds that were missed */
  #closeGap() {
    const since = this.#gapSince;
    this.#gapSince = null;
    if (!since) return 0;
    this.judgement.addGap({ from: since.second, to: this.seconds });
    return Math.max(1, Math.round((Date.now() - since.at) / 1000));
  }

  #link(link) {
    if (link.state === 'live') this.#trouble = '';
    if (link.state === 'live' && !this.#linked) {
      this.#linked = true;
      if (this.phase === 'connecting') this.#to('reciting');
    }
    this.listener.onLink(link);
    this.listener.onProgress();
  }

  #event(event) {
    const take = {
      ready: () => this.#ready(event),
      ack: () => this.listener.onProgress(),
      partial_result: () => this.#partial(event),
      error: () => this.#error(event),
      notice: () => ABOUT_SOUND.has(event.code) && this.#pass('service', event.code),
      final_result: () => this.#final(event.result),
      final_result_error: () => this.#over({ result: null, code: event.code }),
    }[event.type];
    take?.();
  }

  #ready(event) {
    // A session that goes on under a new state has forgotten what was recited before.
    if (!event.resumed && this.#linked) this.judgement.stateLost();
    // Nobody listened between the two pages.
    if (this.#leftAt >= 0) this.judgement.addGap({ from: this.#leftAt, to: event.offset / SAMPLE_RATE });
    this.#leftAt = -1;
    for (const index of this.peeked) this.#session.command({ type: 'peek', word_index: index });
    if (event.gap) this.#gap(event.gap);
  }

  #gap({ from_offset: from, to_offset: to }) {
    this.judgement.stateLost();
    this.judgement.addGap({ from: from / SAMPLE_RATE, to: to / SAMPLE_RATE });
    this.listener.onNotice('service', 'gap', { seconds: Math.max(1, Math.round((to - from) / SAMPLE_RATE)) });
  }

  #partial(event) {
    this.busy = event.server_busy;
    this.#pass('service', ABOUT_SOUND.has(event.notice?.code) ? event.notice.code : '');
    this.#pass('quality', poorness(event.audio_quality));
    this.#show(this.judgement.take(event.word_feedback));
    this.pointer = event.pointer ?? lastHeard(this.judgement.words) + 1;
    this.listener.onPointer(this.pointer);
    this.listener.onProgress();
  }

  #error(event) {
    if (event.gap) this.#gap(event.gap);
    if (Number.isInteger(event.seq) && LOST_WINDOW.has(event.code)) {
      const from = Math.max(0, ...this.judgement.words.map(({ end }) => end ?? 0));
      this.judgement.addGap({ from, to: this.seconds });
    } else if (SLOW.has(event.code)) this.busy = true;
    else if (ABOUT_SOUND.has(event.code)) this.#pass('service', event.code);
    else if (!event.gap) {
      this.#trouble = event.code;
      this.listener.onNotice('service', event.code, { code: event.code });
    }
  }

  /** Told once, not with every event: what was closed stays closed. */
  #pass(kind, code) {
    if (this.#told[kind] === code) return;
    this.#told[kind] = code;
    this.listener.onNotice(kind, code);
  }

  #final(result) {
    this.#show(this.judgement.take(result.word_analysis));
    this.#over({ result, code: null });
  }

  #show(changed) {
    if (changed.length) this.listener.onWords(changed);
  }

  #over(outcome) {
    if (this.phase === 'over') return;
    this.#closeGap();
    this.#closeSource();
    this.#to('over');
    this.listener.onOver(outcome);
  }

  async #closeSource() {
    const source = this.#source;
    this.#source = null;
    await source?.stop();
  }
}

/** The word that was recited last, by time; -1 if none was. */
function lastHeard(words) {
  let found = -1;
  let latest = -1;
  words.forEach(({ end }, index) => {
    if (end !== null && end >= latest) {
      latest = end;
      found = index;
    }
  });
  return found;
}
