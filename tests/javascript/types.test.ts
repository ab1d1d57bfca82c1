// What a program in TypeScript may write with the client, and what it may not: checked, never run.

import { Microphone, NoMicrophone, pieces, Recitation, Refused, Transcription } from 'rattil-client';
import type { RecitationEvent, Resume, TranscriptionEvent, WebSocketClass } from 'rattil-client';

declare const FromNpm: WebSocketClass;

export async function recite(): Promise<string> {
  const session = new Recitation(['ws://a', new URL('ws://b')], {
    surah: 1, ayah: 1, to: 7, token: 'k', WebSocket: FromNpm, policy: { capMs: 100 }, query: { window: 1 },
  });
  session.addEventListener('partial_result', ({ detail }) => detail.word_feedback.map(({ status }) => status));
  session.addEventListener('reconnect', ({ detail }) => detail.delayMs.toFixed());
  session.addEventListener('event', ({ detail }) => detail satisfies RecitationEvent);
  // @ts-expect-error a recitation has no such event
  session.addEventListener('transcript.final', () => {});
  for await (const event of session.stream(pieces(new Int16Array(10), { realtime: true }))) {
    if (event.type === 'final_result') return String(event.result.accuracy_score);
    // @ts-expect-error only an event of that type has it
    event.transcript;
  }
  const kept: Resume | null = session.resume;
  new Recitation('ws://a', { surah: 1, ayah: 1, resume: kept });
  const last = await session.run([new Uint8Array(2)]);
  return last.type === 'final_result' ? last.result.verse_range : last.code;
}

export async function transcribe(): Promise<string> {
  const microphone = await new Microphone({ constraints: { deviceId: 'x' } }).open();
  microphone.addEventListener('lost', () => microphone.stop());
  const session = new Transcription('ws://a', { language: 'ar' });
  session.addEventListener('transcript.final', ({ detail }) => detail.words?.[0]?.confidence);
  try {
    for await (const event of session.stream(microphone)) show(event);
  } catch (error) {
    if (error instanceof Refused) return error.reason;
    if (error instanceof NoMicrophone) return error.code satisfies 'denied' | 'missing' | 'busy' | 'insecure';
  }
  return (await session.run(microphone)).transcript;
}

function show(event: TranscriptionEvent): void {
  if (event.type === 'transcript.partial') console.log(event.stable_text);
}

// @ts-expect-error the verses are needed
new Recitation('ws://a', {});
// @ts-expect-error floats would be heard as noise
new Recitation('ws://a', { surah: 1, ayah: 1 }).stream([new Float32Array(3)]);
