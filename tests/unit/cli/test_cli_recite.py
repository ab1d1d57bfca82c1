"""`rattil recite` on a scripted gateway and the demo's checks: what is shown, how it ends."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator

import pytest
from rich.console import Console

from cli.connecting import Connecting
from cli.demo import Seen, differences, verdicts_by_place
from cli.recite import Exit, recite_and_report, target_of
from cli.recording import Recording
from cli.sample_files import ExpectedWord, Sample, load_samples
from cli.score_table import score_table
from cli.screen import LiveScreen, PlainScreen, SilentScreen, coloured_words
from cli.signs import ASCII_SIGNS, SIGNS, STYLES
from rattil.client.recitation import Partial, Report, ServerError, WordState, WordVerdict
from rattil.client.sound_source import pieces, read_file
from shared.recitation.reference.passage import VerseRange, load_passage
from tests.unit.rattil.client.scripted_server import Visit, scripted_server

FATIHA = VerseRange.parse("1:1-7")


def console() -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=200, force_terminal=False), out


async def some_audio() -> AsyncIterator[bytes]:
    yield bytes(6400)


async def recites_well(visit: Visit) -> None:
    await visit.ready()
    await visit.partial(0, "correct", "pending")
    await visit.hear_to_the_end()
    await visit.partial(1, "correct", "wrong")
    await visit.final()
    await visit.socket.wait_closed()


async def test_a_recitation_prints_words_and_score() -> None:
    shown, out = console()
    async with scripted_server(recites_well) as server:
        code = await recite_and_report(target_of(server.url, FATIHA), some_audio(), shown, "title")
    assert code is Exit.OK
    text = out.getvalue()
    for expected in ("title", "correct", "wrong", "100.0 %"):
        assert expected in text


@pytest.mark.parametrize("model", ["default", "accurate"])
async def test_the_model_is_asked_of_the_server(model: str) -> None:
    async with scripted_server(recites_well) as server:
        target = target_of(server.url, FATIHA, model=model)
        await recite_and_report(target, some_audio(), console()[0], "title")
        assert [visit.query["model"] for visit in server.visits] == [model]


async def test_json_is_one_object() -> None:
    shown, out = console()
    async with scripted_server(recites_well) as server:
        target = target_of(server.url, FATIHA)
        code = await recite_and_report(target, some_audio(), shown, "title", as_json=True)
    assert code is Exit.OK
    result = json.loads(out.getvalue())
    assert result["final"]["result"]["accuracy_score"] == 100.0
    assert (result["partials"], result["session_id"]) == (2, "session-1")


async def test_strict_turns_mistakes_into_an_exit_code() -> None:
    async def has_a_mistake(visit: Visit) -> None:
        await visit.ready()
        await visit.hear_to_the_end()
        words = [{"word": "one", "status": "missing"}]
        await visit.say(type="final_result", result={"word_analysis": words, "accuracy_score": 0.0})
        await visit.socket.wait_closed()

    for strict, expected in ((False, Exit.OK), (True, Exit.MISTAKES)):
        async with scripted_server(has_a_mistake) as server:
            target = target_of(server.url, FATIHA)
            code = await recite_and_report(target, some_audio(), console()[0], "t", strict=strict)
        assert code is expected


async def test_refusals_and_failures_have_their_codes(capsys: pytest.CaptureFixture[str]) -> None:
    async def refuses(visit: Visit) -> None:
        await visit.socket.close(4502, "unauthorised")

    async def cannot_grade(visit: Visit) -> None:
        await visit.ready()
        await visit.hear_to_the_end()
        await visit.say(type="final_result_error", message="no worker", fallback="Use POST /verify")
        await visit.socket.wait_closed()

    for act, expected in ((refuses, Exit.REFUSED), (cannot_grade, Exit.NO_RESULT)):
        async with scripted_server(act) as server:
            code = await recite_and_report(target_of(server.url, FATIHA), some_audio(), console()[0], "title")
        assert code is expected
    said = capsys.readouterr().err
    assert "unauthorised" in said
    assert "Use POST /verify" in said


def test_targets_are_read_from_what_people_write() -> None:
    target = target_of("localhost:8000, http://b:1,wss://c", FATIHA, token="k")
    assert list(target.urls) == ["ws://localhost:8000", "ws://b:1", "wss://c"]
    assert (target.surah, target.ayah, target.to, target.token) == (1, 1, 7, "k")
    with pytest.raises(ValueError, match="one sura"):
        target_of("ws://a", VerseRange.parse("112:1-114:6"))


def partial(seq: int, *statuses: str) -> Partial:
    return Partial(seq, tuple(WordState(f"w{i}", status) for i, status in enumerate(statuses)))


def test_words_judged_before_the_end_are_counted() -> None:
    recording = Recording(SilentScreen(), Connecting(["ws://a"]))
    recording.on_event(partial(0, "pending", "pending"))
    assert recording.judged_before_end == 0
    recording.on_event(partial(1, "correct", "pending"))
    recording.on_all_sent()
    recording.on_event(partial(2, "correct", "correct"))
    assert (recording.partials, recording.judged_before_end) == (3, 1)


def test_a_plain_screen_shows_changes_only() -> None:
    shown, out = console()
    screen = PlainScreen(shown, "title")
    screen.on_event(partial(0, "correct", "pending"))
    screen.on_event(partial(1, "correct", "wrong"))
    screen.on_event(ServerError("server_busy", "decoding is behind"))
    lines = out.getvalue().splitlines()
    assert lines[0] == "title"
    assert "missing" in lines[1]  # what the signs mean
    assert len(lines) == 5
    assert "w0" in lines[2]
    assert "w1" in lines[3]
    assert "server_busy" in lines[4]


def test_a_live_screen_says_what_the_signs_mean_and_that_it_was_stopped() -> None:
    out = io.StringIO()
    screen = LiveScreen(Console(file=out, width=200, force_terminal=True, color_system=None), "title")
    screen.on_event(partial(0, "correct", "pending"))
    screen.on_stop()
    screen.on_all_sent()
    screen.close()
    shown = out.getvalue()
    assert "∅ missing" in shown
    assert "all sent" not in shown
    assert "\nstopped" in shown


def test_each_state_has_its_own_sign_and_none_of_them_reads_like_another() -> None:
    for signs in (SIGNS, ASCII_SIGNS):
        assert signs.keys() == STYLES.keys()
        assert len(set(signs.values())) == len(signs)
        assert "…" not in signs.values()  # it would say that the word is still being recited
    assert all(sign.isascii() for sign in ASCII_SIGNS.values())


def test_a_terminal_without_unicode_gets_plain_signs_and_no_failure() -> None:
    raw = io.BytesIO()
    shown = Console(file=io.TextIOWrapper(raw, "ascii", write_through=True), width=200)
    screen = PlainScreen(shown, "title")
    screen.on_event(Partial(0, (WordState("بِسْمِ", "missing", verse_key="1:1"),)))
    shown.print(score_table(Report((WordVerdict("بِسْمِ", "missing", verse_key="1:1"),)), shown))
    text = raw.getvalue().decode("ascii")
    assert "- missing" in text.splitlines()[1]
    assert "-     1:1 #1   missing" in text
    assert "- 1:1 word 1" in text


def test_words_are_shown_untouched_and_coloured() -> None:
    words = [WordState("بِسْمِ", "correct", final=True), WordState("ٱللَّهِ", "wrong")]
    text = coloured_words(words)
    assert text.plain.split() == ["بِسْمِ", "ٱللَّهِ"]
    assert "green underline" in {str(span.style) for span in text.spans}


def test_the_score_table_names_words_to_look_at() -> None:
    shown, out = console()
    words = (WordVerdict("one", "correct"), WordVerdict("two", "missing", feedback="left out"))
    shown.print(score_table(Report(words, accuracy_score=50.0), shown))
    assert "left out" in out.getvalue()
    assert "50.0 %" in out.getvalue()


# -- the demo's checks ------------------------------------------------------------------------------
CLEAN = Sample("clean", "x", "1:1-7")
MISTAKES = Sample(
    "mistakes", "x", "1:1-7", expected=(ExpectedWord("1:4", 2, "missing"), ExpectedWord("1:7", 6, "wrong"))
)


def seen(judged: int = 5, **other: str) -> Seen:
    places = {place: "correct" for place in verdicts_by_place(FATIHA, perfect())}
    changed = {tuple(key.split("_")): status for key, status in other.items()}
    for (_, ayah, word), status in changed.items():
        places[f"1:{ayah}", int(word)] = status
    return Seen(places, judged)


def perfect(words: int = 29) -> tuple[WordVerdict, ...]:
    return tuple(WordVerdict("w", "correct") for _ in range(words))


def test_the_score_table_says_which_model_judged() -> None:
    shown, out = console()
    shown.print(score_table(Report((), model="rattil-base@0.1.0"), shown))
    assert "rattil-base@0.1.0" in out.getvalue()


def test_a_clean_recitation_may_have_one_small_mistake_but_nothing_wrong() -> None:
    assert differences(CLEAN, seen()) == []
    assert differences(CLEAN, seen(v_1_1="minor_mistake")) == []
    assert differences(CLEAN, seen(v_1_1="wrong")) == ["1:1 word 1 should be correct, is wrong"]
    assert len(differences(CLEAN, seen(v_1_1="minor_mistake", v_1_2="minor_mistake"))) == 1


def test_exactly_the_expected_mistakes_must_be_seen() -> None:
    assert differences(MISTAKES, seen(v_4_2="missing", v_7_6="wrong")) == []
    assert differences(MISTAKES, seen(v_4_2="missing")) == ["1:7 word 6 should be wrong, is correct"]
    assert differences(MISTAKES, seen(v_4_2="missing", v_7_6="wrong", v_2_1="minor_mistake")) == [
        "1:2 word 1 should be correct, is minor_mistake"
    ]
    assert differences(MISTAKES, seen(v_4_2="wrong", v_7_6="wrong")) == [
        "1:4 word 2 should be missing, is wrong"
    ]


def test_words_must_be_judged_while_they_are_recited() -> None:
    assert differences(CLEAN, seen(judged=0)) == ["no word had a state before the recitation was over"]


def test_the_bundled_samples_are_what_they_say() -> None:
    for sample in load_samples().values():
        verses = VerseRange.parse(sample.verses)
        places = verdicts_by_place(verses, perfect(len(load_passage(verses).words)))
        assert all((word.verse, word.word) in places for word in sample.expected)
        assert sample.path.stat().st_size < 300_000
        assert abs(len(read_file(sample.path)) / 32_000 - sample.seconds) < 0.5


async def test_a_file_is_cut_without_losing_a_byte() -> None:
    pcm = bytes(range(200)) * 301
    assert b"".join([piece async for piece in pieces(pcm, realtime=False)]) == pcm


@pytest.mark.parametrize("url", ["ftp://x", "ws://", "ws://a:port", "http://", ","])
def test_an_address_that_is_none_is_wrong_usage(url: str) -> None:
    with pytest.raises(ValueError, match=r"address|gateway|Port"):
        target_of(url, FATIHA)
