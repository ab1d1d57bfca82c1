"""Only recordings are opened: no playlist, no image, no other file, no connection."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from shared.audio.decode import decode_audio
from shared.audio.pcm import samples_of
from shared.errors import BadAudio
from tests.unit.audio.recordings import Wave, encoded, strongest_hz, tone


def png(width: int, height: int) -> bytes:
    """A black image, a thousandth of its size when compressed."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress((b"\0" + bytes(width)) * height)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def sdp(port: int) -> bytes:
    """A session description: FFmpeg would listen on this port."""
    return (
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
    ).encode()


def film(kind: str = "matroska", sound: Wave | None = None) -> bytes:
    """Five pictures, and this sound (16 kHz) or none."""
    buffer = io.BytesIO()
    with av.open(buffer, mode="w", format=kind) as out:
        stream: Any = out.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        audio: Any = out.add_stream("aac", rate=16_000, layout="mono") if sound is not None else None
        picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        for number in range(5):
            picture.pts = number
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
        if sound is not None:
            pcm = np.rint(sound * 32767).astype(np.int16).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 16_000, 0
            out.mux([*audio.encode(frame), *audio.encode(None)])
    return buffer.getvalue()


WAV = encoded("wav", "pcm_s16le", [tone(0.5, 16_000)])
HOSTILE = {
    "sdp": sdp(50_004),
    "concat": b"ffconcat version 1.0\nfile %s\n",
    "concat stdin": b"ffconcat version 1.0\nfile dev/stdin\n",
    "hls": b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n%s\n#EXT-X-ENDLIST\n",
    "hls network": b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n",
    "dash": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>%s</BaseURL></MPD>',
    "m3u": b"#EXTM3U\n%s\n",
    "smil": b'<smil><body><audio src="%s"/></body></smil>',
    "image sequence": b"P5\n4 4\n255\n" + bytes(16),
    "png": png(4000, 4000),
    "gif": b"GIF89a" + bytes(100),
    "subtitles": b"1\n00:00:00,000 --> 00:00:01,000\n%s\n",
    "script": b"#!/bin/sh\ncat %s\n",
    "film": film(),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_no_recording_is_refused_and_names_no_file(data: bytes, tmp_path: Path) -> None:
    secret = tmp_path / "private-recording.wav"
    secret.write_bytes(WAV)
    with pytest.raises(BadAudio) as refused:
        decode_audio(data.replace(b"%s", str(secret).encode()))
    assert "private" not in refused.value.message
    assert "/" not in refused.value.message
    assert "Errno" not in refused.value.message


def test_a_file_that_is_there_and_one_that_is_not_get_the_same_answer(tmp_path: Path) -> None:
    (tmp_path / "there.wav").write_bytes(WAV)
    answers = set()
    for name in ("there.wav", "missing.wav"):
        with pytest.raises(BadAudio) as refused:
            decode_audio(b"ffconcat version 1.0\nfile " + str(tmp_path / name).encode() + b"\n")
        answers.add(refused.value.message)
    assert len(answers) == 1


def test_a_cover_picture_is_not_decoded() -> None:
    picture = png(4000, 4000)
    body = b"\0image/png\0\x03\0" + picture
    frame = b"APIC" + struct.pack(">I", len(body)) + b"\0\0" + body
    size = len(frame)
    tag = b"ID3\x03\0\0" + bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0)) + frame
    pcm = decode_audio(tag + encoded("mp3", "libmp3lame", [tone(1.0, 16_000)]))
    assert len(pcm) == pytest.approx(32_000, abs=4000)


@pytest.mark.parametrize("kind", ["mp4", "matroska", "mov"])
def test_of_a_film_only_the_sound_is_decoded(kind: str) -> None:
    pcm = samples_of(decode_audio(film(kind, tone(1.0, 16_000))))
    assert pcm.size == pytest.approx(16_000, abs=2500)
    assert strongest_hz(pcm) == pytest.approx(440, abs=5)


def test_an_audio_codec_that_is_not_on_the_list_is_refused() -> None:
    with pytest.raises(BadAudio, match="codec of the audio is not supported"):
        decode_audio(encoded("matroska", "ac3", [tone(1.0, 48_000)], 48_000))
