"""Training of the accurate model: Whisper base's encoder taught to hear the sounds of recitation."""
