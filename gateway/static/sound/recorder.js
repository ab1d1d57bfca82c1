// AudioWorklet: whatever rate the microphone has, out come 16 kHz 16-bit frames of 100 ms.

const OUT_RATE = 16000;
const FRAME = 1600;
const HALF = 24; // taps on each side of the filter, in input samples at the cutoff's scale
const PHASES = 128;

class Recorder extends AudioWorkletProcessor {
  constructor() {
    super();
    this.ratio = sampleRate / OUT_RATE;
    this.table = lowPass(Math.max(1, this.ratio));
    this.reach = this.table.reach;
    this.input = new Float32Array(0);
    this.position = this.reach; // of the next output sample, in input samples
    this.frame = new Int16Array(FRAME);
    this.filled = 0;
    this.port.onmessage = () => this.flush();
  }

  process(inputs) {
    const channels = inputs[0];
    if (!channels.length) return true;
    this.take(mixDown(channels));
    return true;
  }

  take(block) {
    const joined = new Float32Array(this.input.length + block.length);
    joined.set(this.input);
    joined.set(block, this.input.length);
    while (this.position + this.reach < joined.length) {
      this.emit(this.sampleAt(joined, this.position));
      this.position += this.ratio;
    }
    const done = Math.max(0, Math.floor(this.position) - this.reach);
    this.input = joined.slice(done);
    this.position -= done;
  }

  sampleAt(samples, position) {
    const whole = Math.floor(position);
    const taps = this.table.phases[Math.min(PHASES - 1, Math.floor((position - whole) * PHASES))];
    let sum = 0;
    for (let k = 0; k < taps.length; k += 1) sum += taps[k] * samples[whole - this.reach + 1 + k];
    return sum;
  }

  emit(value) {
    this.frame[this.filled] = Math.max(-32768, Math.min(32767, Math.round(value * 32767)));
    this.filled += 1;
    if (this.filled === FRAME) this.flush();
  }

  flush() {
    if (!this.filled) return;
    this.port.postMessage(this.frame.slice(0, this.filled));
    this.filled = 0;
  }
}

function mixDown(channels) {
  if (channels.length === 1) return channels[0];
  const mono = new Float32Array(channels[0].length);
  for (const channel of channels) for (let i = 0; i < mono.length; i += 1) mono[i] += channel[i] / channels.length;
  return mono;
}

/** Windowed-sinc low pass, cut at 0.92 of the lower Nyquist frequency, one set of taps per phase. */
function lowPass(ratio) {
  const cut = 0.92 / ratio;
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

registerProcessor('recorder', Recorder);
