"""PCM16 handling: decode containers, resample, measure energy. No I/O beyond the bytes given."""
