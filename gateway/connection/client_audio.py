"""One client's audio in the format it declared: its bytes on the way in, positions in it on the way out."""

from __future__ import annotations

import dataclasses

from gateway.connection.end_reason import EndConnection, EndReason
from gateway.session.events import AudioSafe, Event, Gap, Opened, Trouble
from shared.audio.formats import AudioFormat
from shared.audio.streaming import StreamingDecoder
from shared.errors import BadAudio


class ClientAudio:
    """Inside, all audio is PCM16 mono at 16 kHz; a client that sends that costs nothing here."""

    def __init__(self, audio_format: AudioFormat, sample: int) -> None:
        """`sample`: the first one that the client sends now, 16 kHz."""
        self._format = audio_format
        self._decoder = None if audio_format.is_native else StreamingDecoder(audio_format, sample)
        self._finished = False

    def decode(self, data: bytes) -> bytes:
        """The samples that are complete with these bytes; none after the end, which was the client's word.

        Raises `EndConnection` for what is no audio.
        """
        if self._finished:
            return b""
        if self._decoder is None:
            return data
        try:
            return self._decoder.feed(data)
        except BadAudio as error:
            raise EndConnection(EndReason.BAD_REQUEST, error.code, error.message) from error

    def finish(self) -> bytes:
        """The last samples, once the client has sent everything."""
        if self._finished or self._decoder is None:
            self._finished = True
            return b""
        self._finished = True
        try:
            return self._decoder.finish()
        except BadAudio as error:
            raise EndConnection(EndReason.BAD_REQUEST, error.code, error.message) from error

    def close(self) -> None:
        """Free the decoder."""
        if self._decoder is not None:
            self._decoder.close()

    def in_client_samples(self, event: Event) -> Event:
        """The event with its positions as the client counts. An offset is where to send from, after a break:
        a decoder needs a little of what came before."""
        if self._decoder is None:
            return event
        if isinstance(event, AudioSafe):
            return AudioSafe(self._format.resume_at(event.offset))
        if isinstance(event, Opened):
            offset = self._format.resume_at(event.offset)
            return dataclasses.replace(event, offset=offset, gap=self._gap(event.gap))
        if isinstance(event, Trouble) and event.gap is not None:
            return dataclasses.replace(event, gap=self._gap(event.gap))
        return event

    def _gap(self, gap: Gap | None) -> Gap | None:
        if gap is None:
            return None
        return Gap(self._format.client_samples(gap.from_sample), self._format.client_samples(gap.to_sample))
