"""Sessions whose audio is kept and transcribed once more, whole, after their end."""
