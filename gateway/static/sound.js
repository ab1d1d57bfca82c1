// Where the page's audio comes from: the microphone, or a file played at its own speed.
// Both call `onSamples(Int16Array)` with 16 kHz mono until stopped.

const SAMPLE_RATE = 16000;
const PIECE_MS = 200;

/** Record until `stop()`. Rejects with an Error whose message can be shown. */
export async function fromMicrophone(onSamples) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Error('This browser gives no access to a microphone here: open the page by https or on localhost.');
  }
  let stream;
  try {
    // The browser's speech filters are made for calls; they blur what tells similar letters apart.
    const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: true };
    stream = await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    throw new Error(`The microphone cannot be used (${error.name}). Allow it for this page and try again.`);
  }
  const context = new AudioContext();
  await context.audioWorklet.addModule('recorder.js');
  const recorder = new AudioWorkletNode(context, 'recorder', { numberOfOutputs: 0 });
  recorder.port.onmessage = (message) => onSamples(message.data);
  context.createMediaStreamSource(stream).connect(recorder);
  await context.resume();
  return {
    async stop() {
      const flushed = new Promise((resolve) => setTimeout(resolve, 60));
      recorder.port.postMessage('flush');
      await flushed;
      for (const track of stream.getTracks()) track.stop();
      await context.close();
    },
  };
}

/** Play a recording aloud and hand out its samples at the same pace. `onEnd()` once it is over. */
export async function fromRecording(data, { onSamples, onEnd, aloud = true }) {
  const samples = await decode(data);
  const context = aloud ? playAloud(samples) : null;
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
      await context?.close();
    },
  };
}

async function decode(data) {
  let decoded;
  try {
    // A context of this rate makes the browser resample.
    decoded = await new OfflineAudioContext(1, 1, SAMPLE_RATE).decodeAudioData(data);
  } catch {
    throw new Error('This file cannot be decoded as audio; try wav, mp3, ogg or m4a.');
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
  const buffer = context.createBuffer(1, samples.length, SAMPLE_RATE);
  buffer.copyToChannel(Float32Array.from(samples, (value) => value / 32768), 0);
  const source = context.createBufferSource();
  source.buffer = buffer;
  source.connect(context.destination);
  source.start();
  return context;
}
