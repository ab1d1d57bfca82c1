"""Ctrl-C while `rattil recite` or `rattil transcribe` streams: what is said, what is still answered, 130."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
from collections.abc import AsyncIterator

import pytest
from rich.console import Console

from cli.interrupt import Interrupts, taking
from cli.recite import Exit, recite_and_report, target_of
from cli.transcribe import Exit as TranscribeExit
from cli.transcribe import transcribe
from rattil.client import Listener, Transcription
from rattil.client.transcription import ServerEvent
from shared.recitation.reference.passage import VerseRange
from tests.unit.rattil.client.scripted_server import Act, Visit, scripted_server

FATIHA = VerseRange.parse("1:1-7")


def ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


async def endless_audio(stopped: asyncio.Event | None = None) -> AsyncIterator[bytes]:
    while stopped is None or not stopped.is_set():
        yield bytes(3200)
        await asyncio.sleep(0.01)


async def recited(act: Act, *, as_json: bool = False) -> tuple[Exit, str]:
    out = io.StringIO()
    async with scripted_server(act) as server, asyncio.timeout(20):
        code = await recite_and_report(
            target_of(server.url, FATIHA), endless_audio(), Console(file=out, width=200), "t", as_json=as_json
        )
    return code, out.getvalue()


async def transcribed(act: Act, *, without_end: bool = False) -> tuple[TranscribeExit, str]:
    """`without_end`: the source ends when it is told to, as a microphone does."""
    out = io.StringIO()
    stopped = asyncio.Event()
    async with scripted_server(act) as server, asyncio.timeout(20):

        def open_session(screen: Listener[ServerEvent]) -> Transcription:
            return Transcription([server.url], listener=screen)

        shown = Console(file=out, width=200)
        audio = endless_audio(stopped)
        stop = stopped.set if without_end else None
        code = await transcribe(open_session, [server.url], audio, shown, stop=stop)
    return code, out.getvalue()


async def hears_and_grades(visit: Visit) -> None:
    await visit.ready()
    await visit.hear(4800)
    await visit.partial(0, "correct", "pending")
    ctrl_c()
    await visit.hear_to_the_end()
    await visit.final()
    await visit.socket.wait_closed()


async def hears_and_says_nothing(visit: Visit) -> None:
    await visit.ready()
    await visit.hear(4800)
    ctrl_c()
    await visit.hear_to_the_end()
    ctrl_c()
    await visit.socket.wait_closed()


async def test_the_first_ctrl_c_ends_the_audio_and_what_was_recited_is_judged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, shown = await recited(hears_and_grades)
    assert code == 130
    assert "stopping" in shown
    assert "all audio sent" not in shown
    assert "100.0 %" in shown
    said = capsys.readouterr().err
    assert "stopped by Ctrl-C after 0." in said
    assert "1 of 2 words were judged" in said


async def test_json_says_that_it_was_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    code, shown = await recited(hears_and_grades, as_json=True)
    assert code == 130
    assert json.loads(shown)["stopped"] is True
    assert "stopped by Ctrl-C" in capsys.readouterr().err


async def test_the_second_ctrl_c_leaves_and_says_what_was_judged(capsys: pytest.CaptureFixture[str]) -> None:
    code, shown = await recited(hears_and_says_nothing)
    assert code == 130
    assert "all audio sent" not in shown
    assert "0 of 2 words were judged" in capsys.readouterr().err


async def test_before_a_gateway_answers_the_first_ctrl_c_leaves(capsys: pytest.CaptureFixture[str]) -> None:
    async def keeps_quiet(visit: Visit) -> None:
        ctrl_c()
        await visit.socket.wait_closed()

    code, _ = await recited(keeps_quiet)
    assert code == 130
    assert "nothing was recited" in capsys.readouterr().err


async def begins(visit: Visit) -> None:
    await visit.say(type="session.begin", session_id="session-1")
    await visit.hear(4800)
    await visit.say(type="transcript.final", seq=0, utterance=0, text="one", start=0.0, end=0.25)


@pytest.mark.parametrize(("without_end", "exit_code"), [(False, 130), (True, 0)])
async def test_a_transcription_that_is_stopped_is_answered_first(
    without_end: bool, exit_code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    async def answers(visit: Visit) -> None:
        await begins(visit)
        ctrl_c()
        await visit.hear_to_the_end()
        await visit.say(type="transcript.final", seq=1, utterance=1, text="two", start=0.25, end=0.5)
        await visit.say(type="session.end", transcript="one two")
        await visit.socket.wait_closed()

    code, shown = await transcribed(answers, without_end=without_end)
    assert code == exit_code
    assert "two" in shown
    said = capsys.readouterr().err
    assert "stopping" in said
    assert "2 utterances answered, up to second 0.5" in said


async def test_a_transcription_that_is_aborted_says_how_far_it_came(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def answers_no_more(visit: Visit) -> None:
        await begins(visit)
        ctrl_c()
        await visit.hear_to_the_end()
        ctrl_c()
        await visit.socket.wait_closed()

    code, _ = await transcribed(answers_no_more)
    assert code == 130
    assert "1 utterance answered, up to second 0.2" in capsys.readouterr().err


async def test_afterwards_ctrl_c_does_what_it_did_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    interrupts = Interrupts(end=lambda: None, begun=lambda: True)
    with taking(interrupts):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
    assert not interrupts.came
