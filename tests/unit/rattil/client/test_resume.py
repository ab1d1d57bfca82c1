"""The client's memory of a session: bounded, in samples, true to the server's `ready` and `ack`."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rattil.client.resume import ReconnectPolicy, ResumeState, UnackedAudio


def samples(first: int, count: int) -> bytes:
    """PCM whose n-th sample has the value n."""
    return b"".join(number.to_bytes(2, "little") for number in range(first, first + count))


def test_unacked_audio_gives_back_what_is_not_acked() -> None:
    audio = UnackedAudio()
    audio.append(samples(0, 100))
    audio.forget_before(40)
    assert (audio.start, audio.end) == (40, 100)
    assert audio.read(40, 10) == samples(40, 10)
    assert audio.read(95, 10) == samples(95, 5)


def test_audio_that_is_gone_reads_as_silence() -> None:
    audio = UnackedAudio()
    audio.append(samples(0, 100))
    audio.forget_before(40)
    assert audio.read(30, 100) == bytes(20)
    assert audio.read(10, 5) == bytes(10)


def test_forgetting_never_goes_back_nor_ahead_of_the_recording() -> None:
    audio = UnackedAudio()
    audio.append(samples(0, 10))
    audio.forget_before(8)
    audio.forget_before(3)
    assert audio.start == 8
    audio.forget_before(500)
    assert (audio.start, audio.end) == (10, 10)


def test_unacked_audio_is_bounded() -> None:
    audio = UnackedAudio(capacity_samples=10)
    audio.append(samples(0, 8))
    assert audio.room == 2
    with pytest.raises(BufferError, match="3 samples do not fit"):
        audio.append(samples(8, 3))
    audio.forget_before(4)
    audio.append(samples(8, 6))
    assert audio.end == 14


@given(st.lists(st.integers(0, 60), max_size=12), st.lists(st.integers(0, 300), max_size=12))
def test_any_interleaving_of_appends_and_acks_keeps_every_unacked_sample(
    pieces: list[int], acks: list[int]
) -> None:
    audio = UnackedAudio()
    for number, piece in enumerate(pieces):
        audio.append(samples(audio.end, piece))
        if number < len(acks):
            audio.forget_before(acks[number])
    assert audio.end == sum(pieces)
    assert audio.read(audio.start, 10_000) == samples(audio.start, audio.end - audio.start)


def ready(state: ResumeState, *, resumed: bool, next_seq: int, offset: int) -> None:
    state.on_ready("session-1", "epoch", resumed=resumed, next_seq=next_seq, offset=offset)


def test_the_first_connection_asks_for_no_resume() -> None:
    assert ResumeState().query() == {}


def test_a_later_connection_says_what_it_has_seen() -> None:
    state = ResumeState()
    ready(state, resumed=False, next_seq=0, offset=0)
    assert state.query() == {"session_id": "session-1", "offset": "0"}
    assert state.is_new("partial", 0)
    assert state.is_new("partial", 1)
    state.on_ack(0)
    assert state.query() == {"session_id": "session-1", "offset": "0", "last_seq": "1"}


def test_resume_sends_again_from_the_servers_offset() -> None:
    state = ResumeState()
    ready(state, resumed=False, next_seq=0, offset=0)
    state.audio.append(samples(0, 1000))
    while state.next_frame(300):
        pass
    assert state.sent == 1000
    state.on_ack(400)
    ready(state, resumed=True, next_seq=1, offset=500)
    assert state.next_frame(10_000) == samples(500, 500)
    assert state.lost_samples == 0


def test_a_server_that_forgot_is_given_silence_for_what_nobody_has_any_more() -> None:
    state = ResumeState()
    ready(state, resumed=False, next_seq=0, offset=0)
    state.audio.append(samples(0, 1000))
    state.on_ack(400)
    ready(state, resumed=False, next_seq=0, offset=0)
    assert state.lost_samples == 400
    assert state.next_frame(400) == bytes(800)
    assert state.next_frame(10_000) == samples(400, 600)


def test_events_are_taken_once_per_kind() -> None:
    state = ResumeState()
    ready(state, resumed=False, next_seq=0, offset=0)
    assert state.is_new("partial", 0)
    assert not state.is_new("partial", 0)
    assert state.is_new("error", 1)
    assert state.is_new("partial", 1)
    assert state.is_new("error", None)
    assert state.last_seq == 1


def test_after_a_loss_events_count_from_the_servers_next_seq() -> None:
    state = ResumeState()
    ready(state, resumed=False, next_seq=0, offset=0)
    assert state.is_new("partial", 7)
    ready(state, resumed=False, next_seq=3, offset=0)
    assert state.last_seq == 2
    assert state.is_new("partial", 3)


def test_all_is_sent_only_after_the_source_has_ended() -> None:
    state = ResumeState()
    state.audio.append(samples(0, 10))
    state.next_frame(10)
    assert not state.all_sent
    state.source_ended = True
    assert state.all_sent


def test_back_off_grows_with_full_jitter_up_to_a_cap() -> None:
    policy, rng = ReconnectPolicy(base_s=1.0, cap_s=8.0), Random(7)
    for failures, ceiling in ((1, 1.0), (2, 2.0), (3, 4.0), (9, 8.0), (500, 8.0)):
        delays = [policy.delay_s(failures, rng) for _ in range(200)]
        assert all(0 <= delay <= ceiling for delay in delays)
        assert max(delays) > 0.8 * ceiling
    assert policy.delay_s(1, rng, at_least_s=5.0) >= 5.0
