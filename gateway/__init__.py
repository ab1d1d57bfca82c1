"""The edge: sockets and HTTP in, word-by-word feedback out. Stateless; any gateway serves any session."""

import os

# Read when NumPy is first imported. Its BLAS would start a thread per core, each of which spins after
# every product: features of one window (`WS_SEGMENT_CODEC=mel_u8`) took 1.5 to 5 ms of CPU, not 0.2.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
