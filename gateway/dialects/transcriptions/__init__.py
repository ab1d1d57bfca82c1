"""`/v1/audio/transcriptions/stream`: Rattil's own streaming transcription of speech of any kind."""
