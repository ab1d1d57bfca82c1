"""Runs WhisperLive on loopback, inside the peers' own environment: PORT MODEL_DIR batched|locked.

Its own command listens on all addresses, hence this script; nothing else is changed.
"""

import sys

from whisper_live.server import TranscriptionServer

if __name__ == "__main__":
    port, model, mode = sys.argv[1:4]
    TranscriptionServer().run(
        "127.0.0.1",
        port=int(port),
        backend="faster_whisper",
        faster_whisper_custom_model_path=model,
        single_model=True,
        max_clients=256,
        max_connection_time=3600,
        batch_enabled=mode == "batched",
        batch_max_size=8,
        batch_window_ms=50,
        # Admit whoever the load brings: how many are served well is what is measured.
        batch_max_queue_wait_s=3600.0,
        batch_max_admissions_per_s=1000.0,
    )
