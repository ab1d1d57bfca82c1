"""The decoder: takes segments of many sessions, runs them as one batch, commits each result once."""

import os

# NumPy reads this when it is first imported. Its BLAS would start a thread per core for the small
# products of features and phoneme head; next to the engine's own threads that costs 2 to 30 times
# the time (measured on 2 busy cores: 5.6 ms a segment against 10 to 30).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
