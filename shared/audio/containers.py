"""Which files are opened at all: containers, protocols and codecs by allow-list, and their bounds.

FFmpeg knows several hundred formats. Some of them are playlists that name other files or open network
connections, some are images. Only recordings are opened here, and only from memory.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, Protocol

import av
from av.error import FFmpegError

from shared.audio.formats import check_sound
from shared.audio.timeline import too_long
from shared.errors import BadAudio

CONTAINERS = ("wav", "mp3", "mov", "mp4", "m4a", "matroska", "webm", "ogg", "flac", "aac")
"""Names of FFmpeg's demuxers."""
CODECS = (
    *("mp3", "mp3float", "aac", "alac", "flac", "opus", "libopus", "vorbis", "adpcm_ima_wav", "adpcm_ms"),
    *("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_alaw", "pcm_mulaw"),
    *("pcm_s16be", "pcm_s24be", "pcm_s32be", "pcm_f32be", "pcm_f64be", "amrnb", "amrwb"),
)
"""Names of FFmpeg's decoders: sound only, so that a cover picture or a film is never decoded."""
_EXACT = frozenset({"wav", "flac", "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"})
"""Containers that say how long they are. Others are guessed from their bit rate, which can be wrong."""
_COUNT_AT_FIRST_RATE = frozenset({"aac", "flac"})
"""Bare frames, one after the other: their demuxers count time at the rate of the first one."""
_OPTIONS = {
    "format_whitelist": ",".join(CONTAINERS),
    "codec_whitelist": ",".join(CODECS),
    "protocol_whitelist": "none",
}
KNOWN = "send wav, flac, mp3, m4a, ogg or webm"
KNOWN_STREAMS = "send Opus in WebM or Ogg, or WAV, as it was declared"
_OPUS = ("opus", "libopus")
_WAV = ("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_alaw", "pcm_mulaw")
STREAM_CODECS = {"matroska": _OPUS, "ogg": _OPUS, "wav": _WAV}
"""What a stream may hold, by its demuxer."""
RECOGNISED_BYTES = 12
"""So many first bytes say which container it is."""


class Readable(Protocol):
    """What a demuxer reads from; it cannot seek, so that a stream is read once, from its beginning."""

    def read(self, size: int, /) -> bytes: ...


@contextmanager
def open_recording(data: bytes, max_seconds: float) -> Iterator[tuple[Any, Any]]:
    """The container in memory and its first audio track; nothing has been decoded yet.

    Raises `BadAudio` for a file that is no recording, and for a rate, channels or a length out of bounds.
    """
    with _opened(io.BytesIO(data), None, KNOWN) as container:
        track = _track(container, CODECS, KNOWN)
        # A packet more than the limit: what is only just too long is found while it is decoded.
        if container.format.name in _EXACT and _declared_s(track) > max_seconds + 1:
            raise too_long(max_seconds)
        yield container, track


@contextmanager
def open_stream(source: Readable, demuxer: str) -> Iterator[tuple[Any, Any]]:
    """The container that arrives from `source`, by this demuxer, and its first track of `STREAM_CODECS`.

    Raises `BadAudio` for a stream that is something else, and for channels out of bounds.
    """
    with _opened(source, demuxer, KNOWN_STREAMS) as container:
        yield container, _track(container, STREAM_CODECS[demuxer], KNOWN_STREAMS)


def stamps_follow_rate(container: Any) -> bool:
    """Whether time stamps are right after a change of the sample rate."""
    return container.format.name not in _COUNT_AT_FIRST_RATE


def stream_demuxer(head: bytes) -> str:
    """The demuxer of a stream that begins so. Raises `BadAudio` where it begins like no container."""
    if head.startswith(b"\x1aE\xdf\xa3"):  # EBML, RFC 8794
        return "matroska"
    if head.startswith(b"OggS"):  # RFC 3533
        return "ogg"
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return "wav"
    raise BadAudio(
        "the audio begins like no container that is known: send WebM or Ogg with Opus, or WAV, or say the "
        "encoding of what you send"
    )


@contextmanager
def _opened(source: Readable, demuxer: str | None, known: str) -> Iterator[Any]:
    try:
        # `metadata_errors`: titles may be in any encoding.
        container = av.open(
            source,
            mode="r",
            format=demuxer,
            metadata_errors="ignore",
            container_options=_OPTIONS,
            io_open=_refuse,
        )
    except MemoryError:
        raise
    except (FFmpegError, ValueError) as error:
        # Never the decoder's own words: they may name files.
        raise BadAudio(
            f"the audio cannot be decoded: it is damaged or of an unknown kind; {known}"
        ) from error
    with container:
        yield container


def decoded_frames(container: Any, track: Any) -> Iterator[list[Any] | None]:
    """Frames of each packet; None for a packet, or a rest of the file, that cannot be decoded."""
    packets = container.demux(track)
    while True:
        try:
            packet = next(packets, None)
        except MemoryError:
            raise
        except (FFmpegError, ValueError):
            yield None
            return
        if packet is None:
            return
        try:
            frames = packet.decode()
        except MemoryError:
            raise
        except (FFmpegError, ValueError):
            frames = None
        yield frames


def _track(container: Any, codecs: tuple[str, ...], known: str) -> Any:
    if not container.streams.audio:
        raise BadAudio("the file has no audio track; send a sound recording")
    track = next((one for one in container.streams.audio if _codec(one) in codecs), None)
    if track is None:
        raise BadAudio(f"the codec of the audio is not supported; {known}")
    track.codec_context.thread_count = 1  # one recording takes one core, and its process may start no thread
    check_sound(track.codec_context.sample_rate, track.codec_context.channels)
    return track


def _codec(track: Any) -> str:
    return track.codec_context.name if track.codec_context is not None else ""


def _declared_s(track: Any) -> float:
    return float(track.duration * track.time_base) if track.duration and track.time_base else 0.0


def _refuse(_url: str, _flags: int, _options: object) -> NoReturn:
    """A recording that wants to open another file or address."""
    raise PermissionError("a recording opens nothing else")
