"""Committed lines over TCP: raw PCM16 in, `<begin_ms> <end_ms> <text>` out, as whisper_streaming does."""
