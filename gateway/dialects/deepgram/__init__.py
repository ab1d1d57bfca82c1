"""`/v1/listen`: live transcription as Deepgram's clients speak it."""
