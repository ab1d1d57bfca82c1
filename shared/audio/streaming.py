"""A client's bytes, as they come, to 16 kHz mono PCM16 with every sample accounted for.

    decoder = StreamingDecoder(AudioFormat.parse("pcm_s16le", 44_100, channels=2))
    pcm16 = decoder.feed(frame)   # as often as frames come, of any size
    pcm16 = decoder.finish()      # the last samples, at the end of the audio

The samples do not depend on how the bytes were cut into frames. `decoder.sample` is how many samples have
been given out, `decoder.client_sample` how many of the client's have come in. After a break the client sends
again from `format.resume_at(sample)`, and `StreamingDecoder(format, sample)` goes on exactly there.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Protocol

import av
import numpy as np
from numpy.typing import NDArray

from shared.audio.container_stream import ContainerStream
from shared.audio.formats import SAMPLE_RATE, AudioFormat, check_sound
from shared.audio.pcm import Floats, to_pcm16
from shared.audio.resampling import Resampler

_LAYOUTS = {1: "mono", 2: "stereo"}


class _Source(Protocol):
    """Bytes of a client to PCM16 from its own first byte on."""

    @property
    def client_samples(self) -> int: ...

    def feed(self, data: bytes) -> bytes: ...

    def finish(self) -> bytes: ...

    def close(self) -> None: ...


class StreamingDecoder:
    """One direction of one connection. Not thread-safe; call `close` when it is no longer needed."""

    def __init__(self, audio_format: AudioFormat, sample: int = 0) -> None:
        """`sample`: the first one to be given out; the client sends from `audio_format.resume_at(sample)` on.

        Raises `BadAudio` for a rate or channels out of bounds.
        """
        self.format = audio_format
        self.sample = sample
        self._first_client_sample = audio_format.resume_at(sample)
        self._skip = sample - audio_format.samples(self._first_client_sample)
        self._source = _source(audio_format)

    @property
    def client_sample(self) -> int:
        """Position of the next client sample: all before it have come in."""
        return self._first_client_sample + self._source.client_samples

    def feed(self, data: bytes) -> bytes:
        """The samples that are complete with these bytes, as PCM16.

        Raises `BadAudio` for a container that cannot be decoded; the decoder is then of no more use.
        """
        return self._given(self._source.feed(data))

    def finish(self) -> bytes:
        """The last samples; `sample` is then `format.samples(client_sample)`. Bytes of a client sample that
        is not complete are left out. The decoder cannot be used afterwards."""
        return self._given(self._source.finish())

    def close(self) -> None:
        """Free what the decoder holds, without its last samples."""
        self._source.close()

    def _given(self, pcm16: bytes) -> bytes:
        skipped = min(self._skip, len(pcm16) // 2)
        self._skip -= skipped
        given = pcm16[2 * skipped :]
        self.sample += len(given) // 2
        return given


def _source(audio_format: AudioFormat) -> _Source:
    if audio_format.is_container:
        return ContainerStream(audio_format)
    check_sound(audio_format.rate, audio_format.channels)
    return _NativeStream() if audio_format.is_native else _RawStream(audio_format)


class _NativeStream:
    """What Rattil works with already: only half samples are held back."""

    def __init__(self) -> None:
        self._half = b""
        self.client_samples = 0

    def feed(self, data: bytes) -> bytes:
        joined = self._half + data if self._half else data
        whole = len(joined) // 2 * 2
        self._half = joined[whole:]
        self.client_samples += whole // 2
        return joined[:whole] if self._half else joined

    def finish(self) -> bytes:
        return b""

    def close(self) -> None:
        return


class _RawStream:
    """Samples without a container, at any rate and of several channels.

    They go through the resampler in blocks of 20 ms, counted from the first one, so that frames of single
    samples cost little.
    """

    def __init__(self, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self._block_bytes = max(1, audio_format.rate // 50) * audio_format.client_sample_bytes
        self._layout = _LAYOUTS.get(audio_format.channels, f"{audio_format.channels} channels")
        self._resampler = Resampler(audio_format.rate, audio_format.channels, self._layout)
        self._waiting = bytearray()
        self._pushed = 0
        self._given = 0

    @property
    def client_samples(self) -> int:
        return self._pushed + len(self._waiting) // self._format.client_sample_bytes

    def feed(self, data: bytes) -> bytes:
        self._waiting += data
        whole = len(self._waiting) // self._block_bytes * self._block_bytes
        if not whole:
            return b""
        self._push(whole)
        return self._pcm16(self._resampler.take())

    def finish(self) -> bytes:
        step = self._format.client_sample_bytes
        self._push(len(self._waiting) // step * step)
        rest = self._resampler.finish()
        # The resampler ends with a sample more or less than there is time for.
        wanted = self._format.samples(self._pushed) - self._given
        padded = np.pad(rest[:wanted], (0, max(0, wanted - rest.size)))
        return self._pcm16(padded)

    def close(self) -> None:
        self._waiting.clear()

    def _push(self, size: int) -> None:
        """The first `size` bytes that wait, whole client samples."""
        if not size:
            return
        sound, kind = _frames(self._format, bytes(self._waiting[:size]))
        del self._waiting[:size]
        frame: Any = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format=kind, layout=self._layout)
        frame.sample_rate = self._format.rate
        self._pushed += size // self._format.client_sample_bytes
        self._resampler.push(frame)

    def _pcm16(self, sound: Floats) -> bytes:
        self._given += sound.size
        return to_pcm16(sound)


def _frames(audio_format: AudioFormat, data: bytes) -> tuple[NDArray[Any], str]:
    """Interleaved samples, and FFmpeg's name of their kind."""
    if audio_format.encoding == "pcm_f32le":
        return np.frombuffer(data, "<f4"), "flt"
    if audio_format.encoding == "pcm_s16le":
        return np.frombuffer(data, "<i2"), "s16"
    return _expansion(audio_format.encoding)[np.frombuffer(data, np.uint8)], "s16"


@cache
def _expansion(law: str) -> NDArray[np.int16]:
    """What each of the 256 bytes of ITU-T G.711 stands for, as FFmpeg's decoder says."""
    codec: Any = av.AudioCodecContext.create(f"pcm_{law}", "r")
    codec.sample_rate = SAMPLE_RATE
    codec.layout = "mono"
    (frame,) = codec.decode(av.Packet(bytes(range(256))))
    return np.array(frame.to_ndarray().ravel(), np.int16)
