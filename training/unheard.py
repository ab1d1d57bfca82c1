"""Suras that no voice, real or synthetic, says in training: to measure text that was never heard."""

from __future__ import annotations

UNHEARD_SURAS = (97, 100, 102, 103, 105, 106, 108, 111)
"""Short, of every kind of wording, and said by both held-out reciters; 11 % of the recordings."""
