"""OpenAI's speech-to-text API, for clients that were written for it: REST, server-sent events, Realtime."""
