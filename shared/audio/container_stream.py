"""A container (Opus in WebM or Ogg, WAV), decoded while it arrives.

FFmpeg's demuxers ask for bytes and wait until there are some, so that each stream has a thread of its own.
It works only while `feed` waits for it: one thing happens at a time, and the same bytes always give the same
samples.
"""

from __future__ import annotations

import queue
import threading
import weakref
from typing import Any

from shared.audio.containers import RECOGNISED_BYTES, decoded_frames, open_stream, stream_demuxer
from shared.audio.formats import SAMPLE_RATE, AudioFormat
from shared.audio.pcm import to_pcm16
from shared.audio.timeline import Piece, Timeline
from shared.errors import BadAudio

MAX_GAP_S = 60.0
"""Longest gap in the time stamps that becomes silence: a recorder that was paused longer begins anew."""
MAX_FEED_S = 120.0
"""Most sound that one call of `feed` may give: 4 MB of samples, from 360 kB of usual Opus."""
MAX_SILENT_BYTES = 1_048_576
"""Bytes without any sound after which a stream is refused: the demuxer keeps what it has not understood."""
STUCK_S = 10.0
"""A decoder that does not come back for so long is given up. Usual frames take a millisecond."""

_DEMUXERS = {"webm_opus": "matroska", "ogg_opus": "ogg"}


class ContainerStream:
    """A container from its first byte on; its positions are those of the sound in it."""

    def __init__(self, audio_format: AudioFormat) -> None:
        self._rate = audio_format.rate
        self._decoding = _Decoding(_DEMUXERS.get(audio_format.encoding))
        self._given = 0
        self._begun = False
        # A stream that nobody closes must not keep its thread.
        self._finalizer = weakref.finalize(self, self._decoding.end)

    @property
    def client_samples(self) -> int:
        """Client samples of the sound that was given out: what the container still holds cannot be known."""
        return self._given * self._rate // SAMPLE_RATE

    def feed(self, data: bytes) -> bytes:
        """PCM16 of the sound that is complete. Raises `BadAudio`."""
        self._begun |= bool(data)
        return self._pcm16(self._decoding.more(data)) if data else b""

    def finish(self) -> bytes:
        """PCM16 of the last sound. Raises `BadAudio`."""
        last = self._pcm16(self._decoding.more(b"")) if self._begun else b""
        self.close()
        return last

    def close(self) -> None:
        self._finalizer()

    def _pcm16(self, pieces: list[Piece]) -> bytes:
        pcm16 = b"".join(bytes(2 * piece) if isinstance(piece, int) else to_pcm16(piece) for piece in pieces)
        self._given += len(pcm16) // 2
        return pcm16


class _Decoding:
    """The thread of one stream, and the bytes that go to it."""

    def __init__(self, demuxer: str | None) -> None:
        """`demuxer`: None where the first bytes are to say it."""
        self._demuxer = demuxer
        self._head = b""
        self._given: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._waits: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._unread = memoryview(b"")
        self._no_more = False
        self._silent_bytes = 0
        self._limit_s = MAX_FEED_S
        self._timeline = Timeline(max_seconds=float("inf"), max_gap_s=MAX_GAP_S)
        self._pieces: list[Piece] = []
        self._failure: BadAudio | None = None
        self._thread: threading.Thread | None = None
        self._ended = False

    def more(self, data: bytes) -> list[Piece]:
        """What these bytes complete; no bytes: the end. Raises `BadAudio`, then and ever after."""
        if self._demuxer is None:
            self._head += data
            if data and len(self._head) < RECOGNISED_BYTES:
                return []
            self._demuxer, data, self._head = stream_demuxer(self._head), self._head, b""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="container-stream", daemon=True)
            self._thread.start()
            self._wait()
        if self._ended and data and self._failure is None:
            self._failure = BadAudio("the audio stream has ended; begin a new one")
        if not self._ended and self._failure is None:
            self._limit_s = self._timeline.seconds + MAX_FEED_S
            self._given.put(data)
            self._wait()
        if self._failure is not None:
            raise BadAudio(self._failure.message)
        pieces, self._pieces = self._pieces, []
        return pieces

    def end(self) -> None:
        """Let the thread come to its end; whatever it still finds is of no use."""
        if self._thread is not None and not self._ended:
            self._failure = self._failure or BadAudio("the audio stream is closed")
            self._given.put(b"")

    def _wait(self) -> None:
        """Until the thread wants more bytes, or has ended."""
        try:
            self._waits.get(timeout=STUCK_S)
        except queue.Empty:
            self._ended, self._failure = True, BadAudio("the audio takes too long to decode")
            self._given.put(b"")

    # -- in the thread -----------------------------------------------------------------------------
    def read(self, size: int) -> bytes:
        """Called by the demuxer; empty at the end."""
        while not self._unread and not self._no_more:
            self._pieces += self._timeline.take()
            self._waits.put(None)
            self._unread = memoryview(self._given.get())
            self._no_more = not self._unread or self._failure is not None
        if self._silent_bytes > MAX_SILENT_BYTES:
            self._refuse(f"there is no sound in {MAX_SILENT_BYTES} bytes of the stream")
        if self._failure is not None:
            return b""
        taken, self._unread = self._unread[:size], self._unread[size:]
        self._silent_bytes += len(taken)
        return bytes(taken)

    def _run(self) -> None:
        try:
            self._decode()
        except BadAudio as error:
            self._refuse(error.message)
        except Exception:  # whatever a damaged stream does to the demuxer: never its own words
            self._refuse("the audio stream cannot be decoded; send Opus in WebM or Ogg, or WAV")
        finally:
            self._ended = True
            self._waits.put(None)

    def _decode(self) -> None:
        assert self._demuxer is not None
        with open_stream(self, self._demuxer) as (container, track):
            for frames in decoded_frames(container, track):
                for frame in frames or ():
                    self._add(frame)
                if self._failure is not None:
                    return
        self._pieces += self._timeline.finish()

    def _add(self, frame: Any) -> None:
        if self._timeline.add(frame):
            self._silent_bytes = 0
        if self._timeline.seconds > self._limit_s:
            self._refuse(f"one message holds more than {MAX_FEED_S:g} s of sound; send smaller ones")

    def _refuse(self, sentence: str) -> None:
        self._failure = self._failure or BadAudio(sentence)
