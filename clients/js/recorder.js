// AudioWorklet: whatever rate the device has, out come 16-bit frames of 100 ms at the rate that was asked for.
//
// A file of its own, loaded by its address: a page whose Content-Security-Policy allows scripts of its own origin
// only ('self') allows it, too.

const HALF = 24; // taps on each side of the filter, in input samples at the cutoff's scale
const PHASES = 128;
const CUT = 0.92; // of the lower of the two Nyquist frequencies
const FRAME_S = 0.1;

/** Resamples blocks of floats (-1 to 1) to 16-bit samples. Pure. */
export class Resampler {
  /** @param {number} from samples a second @param {number} to samples a second */
  constructor(from, to) {
    this.ratio = from / to;
    const { phases, reach } = lowPass(Math.max(1, this.ratio));
    this.phases = phases;
    this.reach = reach;
    this.input = new Float32Array(0);
    this.position = reach; // of the next output sample, in input samples
  }

  /** @param {Float32Array} block @param {(sample: number) => void} emit */
  take(block, emit) {
    const joined = new Float32Array(this.input.length + block.length);
    joined.set(this.input);
    joined.set(block, this.input.length);
    while (this.position + this.reach < joined.length) {
      emit(toInt16(this.#sampleAt(joined, this.position)));
      this.position += this.ratio;
    }
    const done = Math.max(0, Math.floor(this.position) - this.reach);
    this.input = joined.slice(done);
    this.position -= done;
  }

  #sampleAt(samples, position) {
    const whole = Math.floor(position);
    const taps = this.phases[Math.min(PHASES - 1, Math.floor((position - whole) * PHASES))];
    const first = whole - this.reach + 1;
    let sum = 0;
    for (let k = 0; k < taps.length; k += 1) sum += taps[k] * samples[first + k];
    return sum;
  }
}

const toInt16 = (value) => Math.max(-32768, Math.min(32767, Math.round(value * 32767)));

/** Windowed-sinc low pass, one set of taps for each phase between two input samples. */
function lowPass(ratio) {
  const cut = CUT / ratio;
  const reach = Math.ceil(HALF * ratio);
  const phases = [];
  for (let phase = 0; phase < PHASES; phase += 1) {
    const taps = new Float32Array(2 * reach);
    let total = 0;
    for (let k = 0; k < taps.length; k += 1) {
      const x = k - reach + 1 - phase / PHASES;
      const window = 0.5 + 0.5 * Math.cos((Math.PI * x) / (reach + 1));
      taps[k] = window * (x === 0 ? cut : Math.sin(Math.PI * cut * x) / (Math.PI * x));
      total += taps[k];
    }
    phases.push(taps.map((tap) => tap / total));
  }
  return { phases, reach };
}

/** The mean of the channels. @param {Float32Array[]} channels */
export function mixDown(channels) {
  if (channels.length === 1) return channels[0];
  const mono = new Float32Array(channels[0].length);
  for (const channel of channels) for (let i = 0; i < mono.length; i += 1) mono[i] += channel[i] / channels.length;
  return mono;
}

// Outside of an AudioWorklet (a test, a bundler's analysis) there is no processor to register.
if (globalThis.AudioWorkletProcessor) {
  class Recorder extends AudioWorkletProcessor {
    constructor({ processorOptions: { rate } }) {
      super();
      this.resampler = new Resampler(sampleRate, rate);
      this.frame = new Int16Array(Math.round(rate * FRAME_S));
      this.filled = 0;
      this.port.onmessage = () => {
        this.flush();
        this.port.postMessage(null); // everything was given
      };
    }

    process([channels]) {
      if (channels.length) this.resampler.take(mixDown(channels), (sample) => this.emit(sample));
      return true;
    }

    emit(sample) {
      this.frame[this.filled] = sample;
      this.filled += 1;
      if (this.filled === this.frame.length) this.flush();
    }

    flush() {
      if (this.filled) this.port.postMessage(this.frame.slice(0, this.filled));
      this.filled = 0;
    }
  }

  registerProcessor('rattil-recorder', Recorder);
}
