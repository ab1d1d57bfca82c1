"""Committed lines: PCM16 in; begin, end and text of the words that stand out. Over TCP and over WebSocket."""
