"""One recording through a client of WhisperLive. The last line printed is JSON: what it has heard.

python whisperlive_clients.py streamed|played PORT WAV LANGUAGE MODEL
"""

from __future__ import annotations

import json
import sys
import wave
from pathlib import Path

from whisper_live.client import StreamingTranscriptionClient, TranscriptionClient

HOST = "127.0.0.1"
LONGEST_S = 120.0
"""A busy machine takes its time."""


def streamed(port: int, path: str, language: str, model: str) -> dict[str, object]:
    """All sent at once, then the end; everything that its callbacks were told."""
    told: dict[str, list[str]] = {"started": [], "partial": [], "committed": [], "errors": [], "closed": []}
    client = StreamingTranscriptionClient(
        HOST,
        port,
        lang=language,
        model=model,
        ready_timeout=LONGEST_S,
        on_session_started=lambda: told["started"].append("ready"),
        on_partial_transcript=lambda text, _: told["partial"].append(text),
        on_committed_transcript=lambda text, _: told["committed"].append(text),
        on_error=lambda error: told["errors"].append(repr(error)),
        on_close=lambda: told["closed"].append("closed"),
    )
    with wave.open(path) as file:
        pcm = file.readframes(file.getnframes())
    client.connect()
    for start in range(0, len(pcm), 8192):
        client.send(pcm[start : start + 8192])
    client.close(LONGEST_S)
    return {**told, "transcript": " ".join(segment["text"] for segment in client.transcript)}


def played(port: int, path: str, language: str, model: str) -> dict[str, object]:
    """A file, as fast as somebody speaks, then 15 seconds for the last text: what the client returns, and its
    subtitles."""
    client = TranscriptionClient(
        HOST,
        port,
        lang=language,
        model=model,
        mute_audio_playback=True,
        log_transcription=False,
        output_transcription_path="talk.srt",
    )
    text = client(audio=path)
    return {"transcript": text, "srt": Path("talk.srt").read_text(encoding="utf-8")}


def main(way: str, port: str, path: str, language: str, model: str) -> None:
    print(json.dumps({"streamed": streamed, "played": played}[way](int(port), path, language, model)))


main(*sys.argv[1:])
