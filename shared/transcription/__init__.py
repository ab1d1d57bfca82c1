"""The transcription domain: from hypotheses that overlap to words that stand, and to utterances. Pure."""
