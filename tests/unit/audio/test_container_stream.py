"""Opus in WebM and Ogg is decoded while it arrives, within bounds."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.audio import container_stream
from shared.audio.decode import decode_audio
from shared.audio.formats import AudioFormat
from shared.audio.pcm import samples_of
from shared.audio.streaming import StreamingDecoder
from shared.errors import BadAudio
from tests.unit.audio.recordings import encoded, level, strongest_hz, tone

WEBM, OGG = AudioFormat.parse("webm_opus"), AudioFormat.parse("ogg_opus")
DATA = {
    WEBM: encoded("webm", "libopus", [tone(2.0, 48_000)], 48_000),
    OGG: encoded("ogg", "libopus", [tone(2.0, 48_000)], 48_000),
}


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """A stream's thread ends with the stream."""
    yield
    gc.collect()
    for thread in threading.enumerate():
        if thread.name == "container-stream":
            thread.join(timeout=10)
            assert not thread.is_alive()


def decoded(form: AudioFormat, data: bytes, cuts: list[int] | None = None) -> bytes:
    decoder = StreamingDecoder(form)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts or []), len(data)]
    pcm = b"".join(decoder.feed(data[start:end]) for start, end in pairwise(edges)) + decoder.finish()
    assert decoder.sample == len(pcm) // 2
    assert decoder.client_sample == 3 * decoder.sample
    return pcm


def _all_of(decoder: StreamingDecoder, data: bytes, step: int) -> None:
    for at in range(0, len(data), step):
        decoder.feed(data[at : at + step])
    decoder.finish()


@settings(max_examples=60)
@given(st.sampled_from([WEBM, OGG]), st.lists(st.integers(0, 25_000), max_size=30))
def test_the_pieces_do_not_matter(form: AudioFormat, cuts: list[int]) -> None:
    assert decoded(form, DATA[form], cuts) == decoded(form, DATA[form])


@pytest.mark.parametrize("form", [WEBM, OGG])
def test_a_stream_is_decoded_like_the_whole_file(form: AudioFormat) -> None:
    streamed, whole = samples_of(decoded(form, DATA[form])), samples_of(decode_audio(DATA[form]))
    assert streamed.size == whole.size
    assert np.ptp(streamed.astype(int) - whole) <= 1  # a file's mean is removed


def test_sound_comes_while_the_stream_arrives() -> None:
    decoder = StreamingDecoder(WEBM)
    data = DATA[WEBM]
    heard = [decoder.feed(data[at : at + 1000]) for at in range(0, len(data), 1000)]
    came = np.cumsum([len(pcm) for pcm in heard]) / 2
    middle = len(came) // 2
    assert came[middle] >= 0.9 * 32_000 * (middle + 1) / len(came) - 1600
    decoder.close()


def test_two_channels_of_opposite_phase_are_heard() -> None:
    data = encoded("webm", "libopus", [tone(1.0, 48_000), -tone(1.0, 48_000)], 48_000)
    assert level(samples_of(decoded(WEBM, data))) > 0.1


def test_a_gap_in_the_time_stamps_is_silence() -> None:
    data = encoded(
        "webm", "libopus", [tone(2.0, 48_000)], 48_000, later_s=lambda at_s: 3.0 if at_s >= 1 else 0.0
    )
    pcm = samples_of(decoded(WEBM, data))
    assert pcm.size == pytest.approx(5 * 16_000, abs=1600)
    assert level(pcm[20_000:60_000]) == 0
    assert strongest_hz(pcm[-14_000:]) == pytest.approx(440, abs=5)


def test_a_resumed_container_goes_on_at_the_sample() -> None:
    decoder = StreamingDecoder(WEBM, 12_345)
    assert decoder.client_sample == 37_035
    pcm = decoder.feed(DATA[WEBM]) + decoder.finish()
    assert decoder.sample == 12_345 + len(pcm) // 2


def test_a_stream_without_any_byte_has_no_sound() -> None:
    assert StreamingDecoder(OGG).finish() == b""


@pytest.mark.parametrize("form", [WEBM, OGG])
@pytest.mark.parametrize(
    "data",
    [
        b"this is no container" * 500,
        encoded("wav", "pcm_s16le", [tone(1.0, 16_000)]),
        encoded("mp3", "libmp3lame", [tone(1.0, 16_000)]),
        encoded("matroska", "flac", [tone(1.0, 16_000)]),
        encoded("ogg", "flac", [tone(1.0, 16_000)]),
        b"ffconcat version 1.0\nfile /etc/hostname\n" * 200,
        bytes(100_000),
    ],
    ids=["text", "wav", "mp3", "flac in matroska", "flac in ogg", "playlist", "zeros"],
)
def test_what_was_not_declared_is_refused(form: AudioFormat, data: bytes) -> None:
    decoder = StreamingDecoder(form)
    with pytest.raises(BadAudio) as refused:
        _all_of(decoder, data, 1000)
    assert "/" not in refused.value.message
    with pytest.raises(BadAudio):
        decoder.feed(b"more")
    decoder.close()


def test_bytes_without_sound_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block that is announced as endless is not kept."""
    monkeypatch.setattr(container_stream, "MAX_SILENT_BYTES", 100_000)
    start = DATA[WEBM][: DATA[WEBM].index(b"\x1f\x43\xb6\x75")]  # everything before the first cluster
    endless = b"\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff" + b"\xa3\x08\x00\x00\x00"
    decoder = StreamingDecoder(WEBM)
    decoder.feed(start + endless)
    with pytest.raises(BadAudio, match="no sound in 100000 bytes"):
        _all_of(decoder, bytes(400_000), 10_000)
    decoder.close()


def test_sound_of_one_message_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_stream, "MAX_FEED_S", 1.0)
    decoder = StreamingDecoder(WEBM)
    with pytest.raises(BadAudio, match="more than 1 s"):
        decoder.feed(DATA[WEBM])
    decoder.close()


def test_a_gap_of_an_hour_is_no_silence() -> None:
    data = encoded(
        "webm", "libopus", [tone(2.0, 48_000)], 48_000, later_s=lambda at_s: 3600.0 if at_s >= 1 else 0.0
    )
    decoder = StreamingDecoder(WEBM)
    with pytest.raises(BadAudio, match="gap of more than 60 s"):
        decoder.feed(data)
    decoder.close()


def test_a_decoder_that_does_not_come_back_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def never(*_arguments: object) -> Iterator[None]:
        released.wait()
        yield None

    monkeypatch.setattr(container_stream, "STUCK_S", 0.1)
    monkeypatch.setattr(container_stream, "decoded_frames", never)
    decoder = StreamingDecoder(WEBM)
    with pytest.raises(BadAudio, match="too long to decode"):
        decoder.feed(DATA[WEBM])
    with pytest.raises(BadAudio, match="too long to decode"):
        decoder.feed(DATA[WEBM])
    decoder.close()
    released.set()


def test_what_follows_the_end_is_refused_or_heard() -> None:
    decoder = StreamingDecoder(WEBM)
    decoder.feed(DATA[WEBM])
    decoder.finish()
    with pytest.raises(BadAudio):
        decoder.feed(DATA[WEBM])


def test_a_stream_that_nobody_closes_leaves_no_thread() -> None:
    """The fixture looks after every test of this file."""
    StreamingDecoder(OGG).feed(DATA[OGG][:5000])


@settings(max_examples=80, derandomize=True)
@given(form=st.sampled_from([WEBM, OGG]), seed=st.integers(0, 2**32), amount=st.integers(1, 40))
def test_any_damage_gives_samples_or_bad_audio(form: AudioFormat, seed: int, amount: int) -> None:
    random = np.random.default_rng(seed)
    data = np.frombuffer(DATA[form], np.uint8).copy()
    data[random.integers(0, data.size, amount)] = random.integers(0, 256, amount, np.uint8)
    try:
        pcm = decoded(form, data.tobytes(), [5000, 10_000])
    except BadAudio:
        return
    assert len(pcm) <= (2 + container_stream.MAX_GAP_S * amount) * 32_000


ANY = AudioFormat.parse("container")
WAVS = {
    codec: encoded("wav", codec, [tone(2.0, 16_000)], 16_000)
    for codec in ("pcm_s16le", "pcm_f32le", "pcm_s24le", "pcm_mulaw", "pcm_alaw", "pcm_u8")
}


@pytest.mark.parametrize("form", [WEBM, OGG])
def test_a_container_is_known_by_its_first_bytes(form: AudioFormat) -> None:
    assert decoded(ANY, DATA[form], [1, 5, 11, 300]) == decoded(form, DATA[form])


@pytest.mark.parametrize("codec", WAVS)
def test_wav_is_decoded_while_it_arrives(codec: str) -> None:
    pcm = decoded(ANY, WAVS[codec], list(range(0, len(WAVS[codec]), 3_200)))
    assert len(pcm) // 2 == pytest.approx(2 * 16_000, abs=16)
    assert strongest_hz(samples_of(pcm)) == pytest.approx(strongest_hz(tone(2.0, 16_000)), abs=2)


@pytest.mark.parametrize("length", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x00"])
def test_a_wav_that_does_not_know_its_length_is_decoded_to_its_end(length: bytes) -> None:
    data = WAVS["pcm_s16le"]
    at = data.index(b"data") + 4
    live = data[:4] + length + data[8:at] + length + data[at + 4 :]
    assert decoded(ANY, live) == decoded(ANY, data)


@pytest.mark.parametrize("data", [b"RIFF", b"this is no container", bytes(4000), b"RIFF\0\0\0\0AVI LIST"])
def test_what_begins_like_no_container_is_refused(data: bytes) -> None:
    decoder = StreamingDecoder(ANY)
    with pytest.raises(BadAudio, match="no container"):
        _all_of(decoder, data, 3)
    decoder.close()
