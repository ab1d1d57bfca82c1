// The microphone: 16 kHz mono from whatever the device has, and the truth about what happens to it.

const FRAMES_LATE_MS = 1200; // the recorder gives ten frames a second
const LOOK_EVERY_MS = 300;
const FLUSH_MS = 60;

/**
 * @typedef {'taken' | 'interrupted' | 'lost' | 'back' | 'changed'} Incident
 *   taken: another program has it; interrupted: the system stopped it (screen locked, a call);
 *   lost: gone and no other found; back: sound comes again; changed: another device is used now
 */

/** An error with a code that the page has a sentence for. */
export class SoundError extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

const REFUSALS = {
  NotAllowedError: 'microphone_denied',
  SecurityError: 'microphone_denied',
  NotFoundError: 'microphone_missing',
  OverconstrainedError: 'microphone_missing',
  NotReadableError: 'microphone_busy',
  AbortError: 'microphone_busy',
};

async function openStream() {
  if (!navigator.mediaDevices?.getUserMedia) throw new SoundError('microphone_insecure');
  try {
    // The browser's speech filters are made for calls; they blur what tells similar letters apart.
    const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: true };
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    throw new SoundError(REFUSALS[error.name] ?? 'microphone_busy');
  }
}

export class Microphone {
  #context = null;
  #stream = null;
  #node = null;
  #input = null;
  #lastFrame = 0;
  #incident = '';
  #timer = 0;
  #stopped = false;
  #reopening = false;

  /**
   * @param {(samples: Int16Array) => void} onSamples
   * @param {(incident: Incident) => void} onIncident
   */
  constructor(onSamples, onIncident) {
    this.onSamples = onSamples;
    this.onIncident = onIncident;
  }

  /** Raises `SoundError`. */
  async open() {
    const stream = await openStream();
    this.#context = new AudioContext();
    await this.#context.audioWorklet.addModule('sound/recorder.js');
    this.#node = new AudioWorkletNode(this.#context, 'recorder', { numberOfOutputs: 0 });
    this.#node.port.onmessage = (message) => this.#frame(message.data);
    this.#use(stream);
    await this.#context.resume();
    this.#lastFrame = performance.now();
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
    return this;
  }

  async stop() {
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#node?.port.postMessage('flush');
    await new Promise((resolve) => setTimeout(resolve, FLUSH_MS));
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    await this.#context?.close();
  }

  #use(stream) {
    this.#input?.disconnect();
    this.#stream = stream;
    this.#input = this.#context.createMediaStreamSource(stream);
    this.#input.connect(this.#node);
    const [track] = stream.getAudioTracks();
    track.onended = () => this.#reopen();
    track.onmute = () => this.#say('taken');
    track.onunmute = () => this.#say('back');
  }

  #frame(samples) {
    this.#lastFrame = performance.now();
    if (this.#incident === 'interrupted') this.#say('back');
    this.onSamples(samples);
  }

  /** Frames that do not come are how a locked screen or a call shows on most phones. */
  #look() {
    if (this.#reopening) return;
    const late = performance.now() - this.#lastFrame > FRAMES_LATE_MS;
    if (late && !this.#incident) this.#say('interrupted');
    if (this.#context.state !== 'running') this.#context.resume().catch(() => {});
  }

  /** A headset that goes away ends its track: go on with what the device has now. */
  async #reopen() {
    if (this.#stopped || this.#reopening) return;
    this.#reopening = true;
    this.#say('interrupted');
    try {
      const stream = await openStream();
      if (this.#stopped) for (const track of stream.getTracks()) track.stop();
      else {
        this.#use(stream);
        this.#incident = '';
        this.onIncident('changed');
      }
    } catch {
      this.#say('lost');
    }
    this.#lastFrame = performance.now();
    this.#reopening = false;
  }

  #say(incident) {
    if (this.#stopped || incident === this.#incident) return;
    this.#incident = incident === 'back' ? '' : incident;
    this.onIncident(incident);
  }
}
