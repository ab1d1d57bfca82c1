"""`/ws/whisperlive` and `WHISPERLIVE_PORT`: live transcription as WhisperLive's clients speak it."""
