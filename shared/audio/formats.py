"""What sound may come in, and how its positions become those of the sound inside Rattil. Pure.

Inside, all sound is mono at `SAMPLE_RATE`. A *client sample* is one moment of the client's sound, all
channels together, at the client's rate; a *sample* is one of Rattil's. Sample `k` is heard at
`k / SAMPLE_RATE`, client sample `c` at `c / rate`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from shared.errors import BadAudio

SAMPLE_RATE = 16_000
"""Samples a second of all audio inside Rattil (mono): what speech models take."""

MIN_RATE = 4_000
"""Lowest sample rate accepted, Hz: below it no consonant can be told from another."""
MAX_RATE = 384_000
"""Highest sample rate accepted, Hz: the highest that recorders use. The filter of a resampler grows with the
rate, so this is checked before one is built."""
MAX_CHANNELS = 8
"""Most channels accepted (7.1 surround)."""

MIX_BLOCK = SAMPLE_RATE // 10
"""Channels are mixed in blocks of 100 ms (`shared.audio.downmix`)."""
MIX_MEMORY_BLOCKS = 10
"""How a block is mixed depends on the last second."""

Encoding = Literal["pcm_s16le", "pcm_f32le", "mulaw", "alaw", "webm_opus", "ogg_opus", "container"]
ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)
_BYTES: dict[Encoding, int] = {"pcm_s16le": 2, "pcm_f32le": 4, "mulaw": 1, "alaw": 1}
CONTAINER_RATE = 48_000
"""Opus counts in samples of 48 kHz, whatever was recorded (RFC 7845, section 4)."""
_FILTER_SAMPLES = SAMPLE_RATE // 100
"""10 ms: a resampler's filter reaches 16 samples to either side at the lower of both rates (4 kHz: 4 ms)."""


def check_sound(rate: int, channels: int) -> None:
    """Raises `BadAudio` for a sample rate or a number of channels out of bounds."""
    if not MIN_RATE <= rate <= MAX_RATE:
        raise BadAudio(
            f"the audio has a sample rate of {rate} Hz; send one between {MIN_RATE} and {MAX_RATE} Hz"
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise BadAudio(f"the audio has {channels} channels; send one to {MAX_CHANNELS}, mono is enough")


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """The sound of one connection.

    `webm_opus` and `ogg_opus` are containers: their header says how many channels there are, `channels` is
    not looked at, and `rate` is always 48,000. `container` is any container that streams may have (Opus in
    WebM or Ogg, WAV), known by its first bytes; its positions are counted at 48,000, too.
    """

    encoding: Encoding = "pcm_s16le"
    rate: int = SAMPLE_RATE
    channels: int = 1

    @classmethod
    def parse(cls, encoding: str, rate: int | None = None, channels: int = 1) -> AudioFormat:
        """The format that a client asks for; `rate` may be left out: 16,000, or 48,000 for a container.

        Raises `BadAudio` for an encoding that is not known, or a rate or channels out of bounds.
        """
        known = next((one for one in ENCODINGS if one == encoding), None)
        if known is None:
            raise BadAudio(f"the encoding {encoding[:40]!r} is not known; send one of {', '.join(ENCODINGS)}")
        made = cls(known, rate or SAMPLE_RATE, channels)
        if made.is_container:
            if rate not in (None, CONTAINER_RATE):
                raise BadAudio(f"{known} counts in samples of {CONTAINER_RATE} Hz; leave the rate out")
            made = cls(known, CONTAINER_RATE, channels)
        check_sound(made.rate, made.channels)
        return made

    @property
    def is_container(self) -> bool:
        return self.encoding not in _BYTES

    @property
    def is_native(self) -> bool:
        """Whether its bytes are already what Rattil works with."""
        return self == AudioFormat()

    @property
    def client_sample_bytes(self) -> int:
        """Bytes of one client sample, all channels together; 0 for a container."""
        return _BYTES.get(self.encoding, 0) * self.channels

    def samples(self, client_samples: int) -> int:
        """How many samples lie before this client sample."""
        return -(-client_samples * SAMPLE_RATE // self.rate)

    def client_samples(self, samples: int) -> int:
        """The last client sample that has no more than so many samples before it."""
        return samples * self.rate // SAMPLE_RATE

    def resume_at(self, sample: int) -> int:
        """The client sample from which the client must send again, so that a new decoder
        (`StreamingDecoder(format, sample)`) goes on at `sample` exactly as if there had been no break.

        It is a little before that sample (10 to 20 ms, up to 1 s for odd rates, 1.1 to 2.2 s for several
        channels): a resampler and a mixer need some sound to begin with. So this is what `ack` and `ready`
        should tell the client. A container goes on as a new container, which begins at that sample.
        """
        if self.is_container:
            return self.client_samples(sample)
        return self.client_samples(self._restart(sample))

    def _restart(self, sample: int) -> int:
        """The sample at which a decoder begins that goes on at `sample`; a whole number of client samples."""
        step = SAMPLE_RATE // math.gcd(self.rate, SAMPLE_RATE)
        margin = _FILTER_SAMPLES if self.rate != SAMPLE_RATE else 0
        if self.channels > 1:
            step = math.lcm(step, MIX_BLOCK)
            margin += (MIX_MEMORY_BLOCKS + 1) * MIX_BLOCK
        return max(0, sample - margin) // step * step
