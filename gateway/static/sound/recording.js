// A recording played at its own speed, in place of a microphone.

import { SoundError } from './microphone.js';

const SAMPLE_RATE = 16000;
const PIECE_MS = 100;

/**
 * Play a recording aloud and hand out its samples at the same pace.
 * @param {ArrayBuffer} data a file of any format that the browser decodes
 * @param {{onSamples: (samples: Int16Array) => void, onEnd: () => void}} listener
 */
export async function playRecording(data, { onSamples, onEnd }) {
  const samples = await decode(data);
  const context = playAloud(samples);
  const began = performance.now();
  let next = 0;
  const timer = setInterval(() => {
    const due = Math.min(samples.length, Math.floor(((performance.now() - began) / 1000) * SAMPLE_RATE));
    if (due > next) onSamples(samples.slice(next, due));
    next = Math.max(next, due);
    if (next < samples.length) return;
    clearInterval(timer);
    onEnd();
  }, PIECE_MS);
  return {
    async stop() {
      clearInterval(timer);
      await context.close();
    },
  };
}

async function decode(data) {
  let decoded;
  try {
    // A context of this rate makes the browser resample.
    decoded = await new OfflineAudioContext(1, 1, SAMPLE_RATE).decodeAudioData(data);
  } catch {
    throw new SoundError('file_unreadable');
  }
  const mono = new Int16Array(decoded.length);
  const channels = Array.from({ length: decoded.numberOfChannels }, (_, i) => decoded.getChannelData(i));
  for (let i = 0; i < mono.length; i += 1) {
    let sum = 0;
    for (const channel of channels) sum += channel[i];
    mono[i] = Math.max(-32768, Math.min(32767, Math.round((sum / channels.length) * 32767)));
  }
  return mono;
}

function playAloud(samples) {
  const context = new AudioContext();
  const source = context.createBufferSource();
  source.buffer = toBuffer(context, samples);
  source.connect(context.destination);
  source.start();
  return context;
}

/** @param {BaseAudioContext} context @param {Int16Array} samples 16 kHz */
export function toBuffer(context, samples) {
  const buffer = context.createBuffer(1, Math.max(1, samples.length), SAMPLE_RATE);
  buffer.copyToChannel(Float32Array.from(samples, (value) => value / 32768), 0);
  return buffer;
}
