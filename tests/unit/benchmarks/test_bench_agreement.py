"""What a reader of a live text sees: revisions, delays, and the ways to cut by a clock of their own."""

from __future__ import annotations

from benchmarks.agreement import FixedReader, Shown, Tally, TranscriptionReader, rates, report_of, revisions
from gateway.session.segmenter import Position, Window
from shared.hearing import HeardWord


def window(start_sample: int, samples: int, *, final: bool = False) -> Window:
    return Window(0, start_sample, bytes(2 * samples), start_sample, b"", final, False, Position(1, 1))


def test_words_that_follow_are_no_revisions() -> None:
    assert revisions(("a", "b"), ("a", "b", "c")) == 0
    assert revisions(("a", "b"), ("a", "c", "d")) == 1
    assert revisions(("a", "b"), ("a",)) == 1
    assert revisions((), ("a", "b")) == 0


def test_fixed_windows_say_a_shared_word_once() -> None:
    reader = FixedReader()
    first = reader.read([HeardWord("a", 100, 900), HeardWord("b", 1900, 2400)], window(0, 40_000))
    second = reader.read([HeardWord("b", 0, 400), HeardWord("c", 600, 900)], window(32_000, 40_000))
    assert first == Shown(("a", "b"), (900, 2400), (900, 2400))
    assert second == Shown(("a", "b", "c"), (2900,), (2900,))


def test_a_word_stands_when_two_looks_agree_and_utterances_follow_one_another() -> None:
    reader = TranscriptionReader()
    word = HeardWord("a", 100, 500)
    assert reader.read([word], window(0, 16_000)) == Shown(("a",), (500,), ())
    both = [word, HeardWord("b", 600, 1500)]
    assert reader.read(both, window(0, 32_000)) == Shown(("a", "b"), (1500,), (500,))
    ended = reader.read(both, window(0, 40_000, final=True))
    assert ended == Shown(("a", "b"), (), (1500,))
    after = reader.read([HeardWord("c", 0, 300)], window(40_000, 16_000))
    assert after == Shown(("a", "b", "c"), (2800,), ())


def test_the_table_has_a_row_for_each_way() -> None:
    tally = Tally(words=4, wrong=1, reference=4, audio_s=2.0, decoded_s=3.0, cpu_s=0.1)
    tally.note(("a", "x"), Shown(("a", "b"), (900,), (500,)), 1.5)
    one = rates(tally)
    assert (one["wer"], one["revisions_per_word"], one["decoded_per_s"]) == (0.25, 0.25, 1.5)
    assert (one["shown_p95_ms"], one["stands_p95_ms"], round(one["cpu_ms_per_s"])) == (600, 1000, 50)
    report = report_of({"fixed": tally}, "a model")
    assert report.tables[0].rows == [["fixed", "0.250", "0.25", "600", "600", "1000", "1000", "1.50", "50"]]
    assert report.headline["fixed_wer"] == 0.25
