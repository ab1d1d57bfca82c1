// The page while somebody recites: what the bar offers, what the text shows, what is kept for a reload.

import { isDeviation } from './client/judgement.js';
import { $ } from './controls/dom.js';
import { serviceReachable } from './controls/network.js';
import { lockModes } from './controls/modes.js';
import { accessKey, keepUnfinished, preferences, unfinished } from './controls/preferences.js';
import { OwnJudgement } from './history/own_judgement.js';
import { has, qualityKey } from './language/language.js';
import { writePassage } from './passage/passage.js';
import { Recitation } from './recitation.js';

const KEEP_EVERY_MS = 700;
const HESITATION_MS = 5000;
const RETRY_SHOWN_FROM_MS = 1500;
/** Refusals that end by themselves: the status line says when the next try is. */
const NO_PLACE = new Set(['no_capacity', 'no_worker', 'too_many_sessions']);
const UNTOUCHED = { status: 'pending', final: false, heard: null, expected: null, start: null, end: null };

export class Reciting {
  /** @type {Recitation | null} */
  #recitation = null;
  #passage = null;
  #printed = null;
  #peeked = new Set(); // before a recitation begins, or in it
  #own = new OwnJudgement();
  #keptAt = 0;
  #keepSoon = 0;
  #hesitation = 0;
  #wakeLock = null;
  #waitsForNetwork = false;
  #full = ''; // the code of the refusal, while a place is waited for
  #saidLost = false; // until a try succeeds or the wait is long: a screen reader says it once, not at every try

  /**
   * @param {{bar: import('./controls/bar.js').Bar, mushaf: import('./mushaf/mushaf.js').Mushaf,
   *          follower: import('./mushaf/follow.js').Follower, notice: import('./controls/notice.js').Notice,
   *          results: import('./controls/result_sheet.js').ResultSheet,
   *          announcer: import('./mushaf/announcer.js').Announcer, onIdle: () => void}} parts
   */
  constructor(parts) {
    Object.assign(this, parts);
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible' && this.running) this.#stayAwake();
    });
  }

  /** Whether somebody recites, or is about to. */
  get running() {
    return this.#waitsForNetwork || (this.#recitation !== null && this.#recitation.phase !== 'over');
  }

  /** What a reload has cut off, of this passage; null if there is nothing. */
  get cutOff() {
    const saved = unfinished();
    return saved && this.#passage && saved.passage === writePassage(this.#passage) ? saved : null;
  }

  passageIs(passage, printed) {
    this.#passage = passage;
    this.#printed = printed;
    this.#recitation = null;
    this.#peeked = new Set();
    this.#own = new OwnJudgement();
    const saved = this.cutOff;
    if (!saved) return;
    this.#peeked = new Set(saved.peeked);
    this.#own = new OwnJudgement(saved.own);
    this.#paintAll(saved.statuses.map((status) => ({ ...UNTOUCHED, status })));
  }

  /** The large button. */
  act(act) {
    if (act === 'recite' || act === 'continue') return this.start(null, act === 'continue');
    if (act === 'stop') return this.#recitation.stop();
    return this.cancel();
  }

  /** @param {ArrayBuffer | null} recording @param {boolean} goOn with what a reload has cut off */
  async start(recording = null, goOn = false) {
    if (this.running || !this.#printed) return;
    this.notice.clear();
    const saved = goOn ? this.cutOff : null;
    if (!navigator.onLine && !recording) {
      this.#waitForNetwork(goOn);
      if (!(await serviceReachable()) || !this.#waitsForNetwork) return;
      this.#waitsForNetwork = false;
    }
    if (!saved) this.#wipe();
    const recitation = new Recitation({
      passage: this.#passage, printed: this.#printed, mode: preferences().mode, key: accessKey(), saved,
    }, this.#listener());
    if (!saved) for (const index of this.#peeked) recitation.peek(index);
    this.#recitation = recitation;
    this.#peeked = recitation.peeked;
    this.#locked(true);
    this.#stayAwake();
    try {
      await recitation.begin(recording);
    } catch (error) {
      this.#rest();
      this.notice.error(error.code ?? 'other', { code: error.message });
    }
  }

  cancel() {
    if (this.#waitsForNetwork) {
      this.#waitsForNetwork = false;
      this.#rest();
    } else this.#recitation?.cancel();
  }

  /** Leave what runs, as if it had not been. */
  discard() {
    this.#recitation?.discard();
  }

  /** Another passage is wanted: what runs is left without a word. */
  leave() {
    this.#waitsForNetwork = false;
    if (this.#recitation && this.#recitation.phase !== 'over') this.#recitation.cancel();
    $('result').close();
    keepUnfinished(null);
  }

  /** Show a hidden word; it does not count as known then. */
  peek(index) {
    if (this.#recitation?.phase === 'over') this.#peeked = new Set(this.#peeked);
    this.#peeked.add(index);
    if (this.running) this.#recitation?.peek(index);
    this.mushaf.reveal(index);
  }

  /** The word that the reciter hesitates at. */
  peekNext() {
    const index = this.#recitation?.pointer ?? 0;
    if (this.mushaf.isHidden(index)) this.peek(index);
  }

  /** The reciter's own judgement of a marked word; the program's stays as it is, beside it. */
  judgeOwn(index, right) {
    this.#own.say(this.#passage.surah, this.#printed.words[index], right);
    this.mushaf.paint([index], this.#recitation.judgement.words, this.#peeked, this.#own.right);
    this.results.draw();
  }

  networkChanged(online) {
    this.#recitation?.networkChanged(online);
    // Said at once; the next event of the service takes it back if it was not so.
    if (!online && this.#full) this.bar.status('status.waiting');
    else if (!online && this.#recitation?.phase === 'reciting') this.bar.status('status.lost');
    if (online && this.#waitsForNetwork) {
      const { goOn } = this.#waitsForNetwork;
      this.#waitsForNetwork = false;
      this.start(null, goOn);
    }
  }

  /** What the sheet of a word tells. */
  about(index) {
    const recitation = this.#recitation;
    const state = recitation?.judgement.words[index] ?? UNTOUCHED;
    const { start, end } = state;
    const canPlay = recitation?.take.has(start, end) ?? false;
    return {
      state,
      peeked: this.#peeked.has(index),
      own: isDeviation(state.status) ? this.#own.right.has(index) : null,
      canRecite: !this.running,
      play: canPlay ? () => recitation.take.play(start, end) : null,
    };
  }

  dropConnection() {
    this.#recitation?.dropConnection();
  }

  #listener() {
    return {
      onPhase: (phase) => this.#phase(phase),
      onLink: (link) => this.#link(link),
      onWords: (changed) => this.#words(changed),
      onPointer: (index) => this.#pointer(index),
      onLevel: (rmsDb) => this.bar.level(rmsDb),
      onNotice: (group, code, values) => this.#tell(group, code, values),
      onProgress: () => this.#keep(),
      onOver: (outcome) => this.#over(outcome),
    };
  }

  #phase(phase) {
    $('cancel').hidden = phase !== 'reciting';
    if (phase === 'opening') {
      this.bar.offer('cancel');
      this.bar.status('status.opening');
    } else if (phase === 'connecting') this.bar.offer('cancel');
    else if (phase === 'reciting') {
      this.bar.offer('stop');
      this.#atWord();
    } else if (phase === 'finishing') {
      this.bar.offer('cancel', 'bar.skip');
      this.bar.status('status.finishing');
      this.mushaf.mark(-1);
      this.follower.moveTo(-1);
    }
  }

  #link({ state, retryInMs = 0, resumed }) {
    const finishing = this.#recitation.phase === 'finishing';
    if (state !== 'reconnecting') this.#saidLost = false;
    if (state === 'connecting') this.bar.status('status.connecting');
    else if (state === 'reconnecting') {
      if (!this.#saidLost) this.bar.status('status.reconnecting');
    }
    else if (state === 'lost') this.#lost(retryInMs);
    else if (state === 'finishing' || finishing) this.bar.status('status.finishing');
    else if (state === 'live') {
      this.#waitForPlace('');
      this.notice.clear('error');
      if (resumed) this.bar.status('status.resumed');
      else this.#listening();
    }
  }

  #lost(retryInMs) {
    if (this.#full && !navigator.onLine) return this.bar.status('status.waiting');
    const sentence = this.#full ? `status.full.${this.#full}` : 'status.lost.seconds';
    this.#saidLost = retryInMs < RETRY_SHOWN_FROM_MS && !this.#full;
    if (this.#saidLost) this.bar.status('status.lost');
    else this.bar.countDown(sentence, retryInMs);
  }

  #listening() {
    const { busy, pointer, phase } = this.#recitation;
    if (phase !== 'reciting') return;
    const word = this.#printed.words[Math.min(pointer, this.#printed.words.length - 1)];
    if (busy) this.bar.status('status.busy');
    else this.bar.status('status.reciting.verse', { number: word.ayah });
  }

  #words(changed) {
    const { words } = this.#recitation.judgement;
    this.mushaf.paint(changed, words, this.#peeked, this.#own.right);
    this.announcer.take(changed, words, this.#printed);
  }

  #pointer(index) {
    this.#listening();
    this.#atWord();
    if (index > 0) $('cancel').hidden = this.#recitation.phase !== 'reciting' || Boolean(this.#full);
  }

  #atWord() {
    const { phase, pointer } = this.#recitation;
    if (phase !== 'reciting' || this.#full) return;
    this.mushaf.mark(pointer < this.#printed.words.length ? pointer : -1);
    this.follower.moveTo(Math.min(pointer, this.#printed.words.length - 1));
    $('hint').hidden = preferences().mode !== 'memorise' || !this.mushaf.isHidden(pointer);
    clearTimeout(this.#hesitation);
    if (preferences().mode === 'memorise' && preferences().hesitation) {
      this.#hesitation = setTimeout(() => this.running && this.peekNext(), HESITATION_MS);
    }
  }

  #tell(group, code, values = {}) {
    if (group === 'sound') this.bar.soundAmiss(Boolean(code) && code !== 'changed');
    if (!code) this.notice.clear(group);
    else if (group === 'sound') this.notice.tell('sound', `sound.${code}`, values, code === 'changed' ? 'info' : 'warn');
    else if (group === 'quality') this.notice.hint('quality', qualityKey(code));
    else if (has(`sound.${code}`)) this.notice.tell('service', `sound.${code}`);
    else if (code === 'gap') this.notice.tell('gap', 'notice.gap', values);
    else {
      this.#waitForPlace(NO_PLACE.has(code) ? code : '');
      if (!this.#full) this.notice.error(code, values);
    }
  }

  /** Nobody listens until there is a place: no word is asked for. An empty code ends the waiting. */
  #waitForPlace(code) {
    const waited = this.#full;
    this.#full = code;
    this.bar.wait(Boolean(code));
    const begun = this.#recitation?.phase === 'reciting';
    if (code) {
      // Stopping would wait for a place, too: what can be had at once is the end.
      if (begun) this.bar.offer('cancel', this.#judged ? 'bar.end' : 'bar.cancel');
      clearTimeout(this.#hesitation);
      for (const id of ['hint', 'cancel']) $(id).hidden = true; // one way out
      this.mushaf.mark(-1);
      this.notice.clear('error');
    } else if (waited) {
      if (begun) this.bar.offer('stop');
      $('cancel').hidden = !begun;
      this.#atWord();
    }
  }

  /** Whether there is anything to show at the end. */
  get #judged() {
    return this.#recitation.judgement.words.some(({ status }) => status !== 'pending');
  }

  #over(outcome) {
    const recitation = this.#recitation;
    const { words } = recitation.judgement;
    const nothing = !this.#judged;
    this.#rest();
    if (outcome.code === 'discarded') {
      this.#wipe();
      this.#recitation = null;
      this.bar.status('status.discarded');
      return;
    }
    if (outcome.code === 'cancelled' && nothing) return;
    if (!outcome.result && nothing) {
      this.notice.error(outcome.code, { code: outcome.code });
      return;
    }
    this.notice.clear();
    if (preferences().mode === 'memorise') for (const index of words.keys()) if (isDeviation(words[index].status)) this.mushaf.reveal(index);
    const { passage, printed, mode, seconds, peeked } = recitation;
    this.#own.keepWith({ passage, mode, seconds, printed, words, peeked });
    this.results.show({
      passage: this.#passage, printed: this.#printed, words, peeked: this.#peeked, own: this.#own.right, outcome,
    });
    this.bar.status('status.done');
  }

  /** Nobody recites any more. */
  #rest() {
    clearTimeout(this.#hesitation);
    keepUnfinished(null);
    this.#locked(false);
    this.#wakeLock?.release().catch(() => {});
    this.#wakeLock = null;
    for (const id of ['hint', 'cancel']) $(id).hidden = true;
    this.#full = '';
    this.bar.wait(false);
    this.bar.soundAmiss(false);
    this.mushaf.mark(-1);
    this.follower.moveTo(-1);
    this.onIdle();
  }

  #wipe() {
    keepUnfinished(null);
    this.results.forget();
    this.announcer.reset();
    if (this.#recitation) this.#peeked = new Set();
    this.#own = new OwnJudgement();
    this.#paintAll(this.#printed.words.map(() => UNTOUCHED));
  }

  #paintAll(words) {
    this.mushaf.paint([...words.keys()], words, this.#peeked, this.#own.right);
  }

  #waitForNetwork(goOn) {
    this.#waitsForNetwork = { goOn };
    this.bar.offer('cancel');
    this.bar.status('status.waiting');
  }

  /** Not at every event, but the last one of a row, too: a reload may come in the quiet after it. */
  #keep() {
    const now = performance.now();
    const early = this.#keptAt + KEEP_EVERY_MS - now;
    if (early > 0) {
      this.#keepSoon ||= setTimeout(() => {
        this.#keepSoon = 0;
        this.#keep();
      }, early);
      return;
    }
    clearTimeout(this.#keepSoon);
    this.#keepSoon = 0;
    const saved = this.#recitation?.saved;
    if (!saved) return;
    this.#keptAt = now;
    keepUnfinished({ ...saved, own: [...this.#own.right], passage: writePassage(this.#passage) });
  }

  #locked(locked) {
    lockModes(locked);
    $('choose').disabled = locked;
  }

  async #stayAwake() {
    // Browsers without it dim the screen; a locked screen is noticed by its silence.
    this.#wakeLock = await navigator.wakeLock?.request('screen').catch(() => null);
  }
}
