"""Recordings that are kept after their session to be transcribed once more, whole, by a better model."""
