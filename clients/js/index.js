/**
 * Rattil's client for browsers and Node: stream audio, iterate events, survive broken connections
 * (docs/clients/javascript.md).
 *
 *     const session = new Transcription('ws://127.0.0.1:8000', { language: 'en' });
 *     for await (const event of session.stream(audio)) console.log(event);
 */

export { ClientError, Closed, GaveUp, NoMicrophone, Refused, UnreadableEvent } from './errors.js';
export { Microphone } from './microphone.js';
export { Recitation, Session, Transcription } from './session.js';
export { pieces } from './sound.js';
