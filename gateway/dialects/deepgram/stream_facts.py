"""What is known of a whole stream, whichever channels it has: who asked, what was sent."""

from __future__ import annotations

import hashlib

from gateway.dialects.deepgram import messages
from shared.audio.formats import AudioFormat
from shared.ids import new_connection_id


class StreamFacts:
    """One socket's."""

    def __init__(self, created_ms: int) -> None:
        """`created_ms`: the time of day, ms of Unix."""
        self.request_id = str(new_connection_id())
        self.audio = AudioFormat()
        """As the client sends it, all channels together."""
        self._created_ms = created_ms
        self._bytes = 0
        self._sha256 = hashlib.sha256()
        self._open = 1

    def apart(self, channels: int) -> None:
        """Each channel has a session of its own."""
        self._open = channels

    def sent(self, audio: bytes) -> None:
        self._sha256.update(audio)
        self._bytes += len(audio)

    def channel_ends(self) -> bool:
        """Whether it was the last one."""
        self._open -= 1
        return self._open == 0

    def metadata(self, safe: int) -> messages.Metadata:
        """The last message. `safe`: samples of the client that were decoded: of a container no more is
        known."""
        frame_bytes = self.audio.client_sample_bytes
        samples = self._bytes // frame_bytes if frame_bytes else safe
        return messages.Metadata(
            transaction_key="deprecated",
            request_id=self.request_id,
            sha256=self._sha256.hexdigest(),
            created=messages.timestamp(self._created_ms),
            duration=round(samples / self.audio.rate, 3),
            channels=self.audio.channels,
        )
