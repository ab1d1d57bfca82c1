"""OpenAI's Realtime API for transcription: `WS /v1/realtime`, in the present (GA) and the beta shapes."""
