// The microphone of a browser as an audio source: mono at the session's rate, whatever the device has.

import { SAMPLE_RATE } from './dialects.js';
import { NoMicrophone } from './errors.js';

const KEPT_S = 60; // waits for a session that cannot take more; then the oldest goes
const FLUSH_WITHIN_MS = 500;
const RECORDER = new URL('./recorder.js', import.meta.url);

/** The browser's speech filters are made for calls: they blur what tells similar sounds apart. */
const CONSTRAINTS = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: true };

const REFUSALS = {
  NotAllowedError: ['denied', 'the microphone may not be used: allow it for this page'],
  SecurityError: ['denied', 'the microphone may not be used: allow it for this page'],
  NotFoundError: ['missing', 'there is no microphone'],
  OverconstrainedError: ['missing', 'no microphone is as it was asked for'],
};
const BUSY = ['busy', 'the microphone cannot be opened: another program may be using it'];
const INSECURE = ['insecure', 'browsers give a microphone only to pages that come by https, or from this machine'];

/**
 * Pieces of 100 ms until `stop()`. Use once, after a click or a touch: before that browsers let no sound in.
 * Events: `interrupted` (another program or the system took it), `back`, `changed` (another device is used now),
 * `lost` (gone, and no other found), `dropped` (nobody took the sound for a minute: the oldest is thrown away).
 */
export class Microphone extends EventTarget {
  #rate;
  #constraints;
  #recorder;
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {MediaStream | null} */
  #stream = null;
  #node = null;
  #input = null;
  /** @type {Int16Array[]} */
  #pieces = [];
  #kept = 0;
  #wake = () => {};
  #stopping = null;
  #ended = false;
  /** Samples that were thrown away because nobody took them. */
  dropped = 0;

  /**
   * `recorderUrl`: where `recorder.js` is, if not beside this module. `constraints`: of `getUserMedia`, such as
   * `{deviceId}`. `sampleRate`: that of the session.
   */
  constructor({ sampleRate = SAMPLE_RATE, constraints = {}, recorderUrl = RECORDER } = {}) {
    super();
    this.#rate = sampleRate;
    this.#constraints = { ...CONSTRAINTS, ...constraints };
    this.#recorder = String(recorderUrl);
  }

  /** Starts recording. Throws `NoMicrophone`. */
  async open() {
    this.#stream = await this.#openStream();
    this.#context = new AudioContext();
    await this.#context.audioWorklet.addModule(this.#recorder);
    this.#node = new AudioWorkletNode(this.#context, 'rattil-recorder', {
      numberOfOutputs: 0,
      processorOptions: { rate: this.#rate },
    });
    this.#node.port.onmessage = ({ data }) => (data ? this.#keep(data) : this.#flushed());
    // The system may suspend it (a call, a locked screen): go on as soon as that is allowed.
    this.#context.onstatechange = () => this.#stateChanged();
    this.#use(this.#stream);
    await this.#context.resume();
    return this;
  }

  /** No more is recorded; what was recorded before is still given. */
  stop() {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  [Symbol.asyncIterator]() {
    return {
      next: async () => {
        while (!this.#pieces.length && !this.#ended) await new Promise((resolve) => { this.#wake = resolve; });
        const piece = this.#pieces.shift();
        if (!piece) return { done: true, value: undefined };
        this.#kept -= piece.length;
        return { done: false, value: piece };
      },
      return: async () => {
        await this.stop();
        return { done: true, value: undefined };
      },
    };
  }

  #flushed = () => {};

  async #stop() {
    if (this.#node) {
      await new Promise((resolve) => {
        this.#flushed = () => resolve(undefined);
        setTimeout(resolve, FLUSH_WITHIN_MS); // a suspended recorder does not answer
        this.#node.port.postMessage('flush');
      });
    }
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#ended = true;
    this.#wake();
    await this.#context?.close();
  }

  #keep(piece) {
    if (this.#ended) return;
    this.#pieces.push(piece);
    this.#kept += piece.length;
    while (this.#kept > KEPT_S * this.#rate) {
      const [oldest] = this.#pieces.splice(0, 1);
      this.#kept -= oldest.length;
      this.dropped += oldest.length;
      this.#say('dropped');
    }
    this.#wake();
  }

  async #openStream() {
    if (!globalThis.navigator?.mediaDevices?.getUserMedia) throw new NoMicrophone(...INSECURE);
    try {
      return await navigator.mediaDevices.getUserMedia({ audio: this.#constraints });
    } catch (error) {
      throw new NoMicrophone(...(REFUSALS[error.name] ?? BUSY), { cause: error });
    }
  }

  #use(stream) {
    this.#input?.disconnect();
    this.#stream = stream;
    this.#input = this.#context.createMediaStreamSource(stream);
    this.#input.connect(this.#node);
    const [track] = stream.getAudioTracks();
    track.onended = () => this.#reopen();
    track.onmute = () => this.#say('interrupted');
    track.onunmute = () => this.#say('back');
  }

  #stateChanged() {
    if (this.#stopping || this.#context.state === 'closed') return;
    if (this.#context.state === 'running') return this.#say('back');
    this.#say('interrupted');
    this.#context.resume().catch(() => {}); // refused until somebody touches the page
  }

  /** A headset that goes away ends its track: go on with what the device has now. */
  async #reopen() {
    if (this.#stopping) return;
    try {
      const stream = await this.#openStream();
      if (this.#stopping) for (const track of stream.getTracks()) track.stop();
      else {
        this.#use(stream);
        this.#say('changed');
      }
    } catch {
      this.#say('lost');
    }
  }

  #say(incident) {
    if (!this.#stopping) this.dispatchEvent(new Event(incident));
  }
}
