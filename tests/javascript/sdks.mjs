// One recording through every way that OpenAI's and Deepgram's own JavaScript SDKs have. Prints the texts as JSON.
//
//   node sdks.mjs GATEWAY FILE RAW_16_KHZ RAW_24_KHZ LANGUAGE MODEL_OF_OPENAI MODEL_OF_DEEPGRAM

import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { connect } from 'node:net';
import { DeepgramClient } from '@deepgram/sdk';
import OpenAI from 'openai';
import { OpenAIRealtimeWS } from 'openai/realtime/ws';

const [gateway, file, raw16, raw24, language, model, deepgramModel] = process.argv.slice(2);
const { host } = new URL(gateway);
const openai = new OpenAI({ baseURL: `${gateway}/v1`, apiKey: 'none', maxRetries: 0 });
const deepgram = new DeepgramClient({
  apiKey: 'none',
  environment: { base: gateway, production: `ws://${host}`, agent: `ws://${host}`, agentRest: gateway },
  timeoutInSeconds: 120,
  maxRetries: 0,
});
const COMPLETED = 'conversation.item.input_audio_transcription.completed';

async function rest() {
  return (await openai.audio.transcriptions.create({ model, language, file: createReadStream(file) })).text;
}

async function serverSentEvents() {
  const stream = await openai.audio.transcriptions.create({ model, language, file: createReadStream(file), stream: true });
  let [deltas, text] = ['', ''];
  for await (const event of stream) {
    if (event.type === 'transcript.text.delta') deltas += event.delta;
    if (event.type === 'transcript.text.done') ({ text } = event);
  }
  if (deltas !== text) throw new Error(`deltas are not the text: ${deltas} / ${text}`);
  return text;
}

/** The SDK asks for TLS always; here the gateway has none in front of it. */
class PlainAgent extends Agent {
  createConnection({ port, host: name }) {
    return connect(port, name);
  }
}

async function realtime() {
  const connection = new OpenAIRealtimeWS({ model, options: { agent: new PlainAgent() } }, openai);
  try {
    return await new Promise((resolve, reject) => {
      connection.on('error', reject);
      connection.on('session.created', () => connection.send({
        type: 'session.update',
        session: {
          type: 'transcription',
          audio: { input: { transcription: { model, language }, turn_detection: null } },
        },
      }));
      connection.on('session.updated', async () => {
        const pcm = await readFile(raw24);
        for (let at = 0; at < pcm.length; at += 9600) {
          connection.send({ type: 'input_audio_buffer.append', audio: pcm.subarray(at, at + 9600).toString('base64') });
        }
        connection.send({ type: 'input_audio_buffer.commit' });
      });
      connection.on(COMPLETED, ({ transcript }) => resolve(transcript));
    });
  } finally {
    connection.close();
  }
}

async function deepgramLive() {
  const connection = await deepgram.listen.v1.connect({
    model: deepgramModel, language, encoding: 'linear16', sample_rate: 16000, interim_results: 'true', reconnectAttempts: 0,
  });
  const finals = [];
  const complete = new Promise((resolve, reject) => {
    connection.on('error', reject);
    connection.on('message', (message) => {
      if (message.type === 'Results' && message.is_final) finals.push(message.channel.alternatives[0].transcript);
      if (message.type === 'Metadata') resolve(message);
    });
  });
  connection.connect();
  await connection.waitForOpen();
  const pcm = await readFile(raw16);
  for (let at = 0; at < pcm.length; at += 6400) connection.sendMedia(pcm.subarray(at, at + 6400));
  connection.sendCloseStream({ type: 'CloseStream' });
  await complete;
  connection.close();
  return finals.join(' ');
}

async function deepgramRecorded() {
  const { results } = await deepgram.listen.v1.media.transcribeFile(createReadStream(file), { model: deepgramModel, language });
  return results.channels[0].alternatives[0].transcript;
}

const texts = {};
for (const way of [rest, serverSentEvents, realtime, deepgramLive, deepgramRecorded]) texts[way.name] = await way();
console.log(JSON.stringify(texts));
