"""`rattil model evaluate`, `quantize` and `info`: on the bundled samples and a random model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from asr_worker.engines.ctranslate2 import CTranslate2Engine
from asr_worker.engines.model_files import BUNDLED, ModelNotUsable, locate
from asr_worker.engines.model_parts import ComputeOptions
from cli.commands import app
from cli.modelling.evaluation import evaluate
from cli.modelling.listening import Listener
from cli.modelling.measures import Tally, as_reference, joined_sounds
from cli.modelling.quantisation import compare
from cli.modelling.recordings import Choice, Recording, bundled_recordings, find_recordings
from cli.modelling.weights import read_weights, write_weights
from shared.errors import BadRequest
from shared.hearing import Hearing, Phone
from shared.recitation.reference.passage import VerseRange, load_passage
from shared.recitation.report.review import review
from tests.unit.asr_worker import tiny_whisper

IKHLAS = load_passage(VerseRange.parse("112:1"))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_whisper.build(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundled sample under the name of a verse, with a manifest beside it."""
    sample = bundled_recordings()[0].path
    (tmp_path / "someone").mkdir()
    shutil.copyfile(sample, tmp_path / "someone" / "001001.opus")
    rows = ["file\tsura\taya\taya_end\treciter\tflag", "someone/001001.opus\t1\t1\t7\tme\tok"]
    rows.append("someone/001001.opus\t1\t1\t\tother\tjoined")
    (tmp_path / "manifest.tsv").write_text("\n".join(rows), encoding="utf-8")
    return tmp_path


def heard(*phones: str, start_ms: int = 0, end_ms: int = 2500) -> Hearing:
    """A window whose sounds last 100 ms each."""
    placed = [Phone(p, start_ms + at * 100, start_ms + at * 100 + 100) for at, p in enumerate(phones)]
    return Hearing(start_ms, end_ms, phones=tuple(placed))


# -- finding recordings --------------------------------------------------------------------------
def test_a_folder_names_verses_by_file_and_reciters_by_folder(folder: Path) -> None:
    assert find_recordings(folder) == [
        Recording(folder / "someone" / "001001.opus", VerseRange.parse("1:1"), "someone")
    ]


def test_a_manifest_names_ranges_and_flagged_rows_are_left_out(folder: Path) -> None:
    manifest = folder / "manifest.tsv"
    assert [(one.reciter, str(one.verses)) for one in find_recordings(manifest)] == [("me", "1:1-7")]
    assert len(find_recordings(manifest, Choice(all_flags=True))) == 2
    assert [one.reciter for one in find_recordings(manifest, Choice(("other",), all_flags=True))] == ["other"]


def test_a_limit_draws_evenly(tmp_path: Path) -> None:
    for aya in range(1, 8):
        (tmp_path / f"001{aya:03}.wav").touch()
    found = find_recordings(tmp_path, Choice(limit=3))
    assert [one.verses.first.ayah for one in found] == [1, 3, 5]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("file\tsura\na.wav\t1", "aya"),
        ("file\tsura\taya\na.wav\t1\t9", "line 2"),
        ("file\tsura\taya\na.wav\tone\t1", "line 2"),
        ("file\tsura\taya\n", "No recordings"),
    ],
)
def test_a_bad_manifest_says_what_is_wrong(tmp_path: Path, content: str, complaint: str) -> None:
    (tmp_path / "bad.tsv").write_text(content, encoding="utf-8")
    with pytest.raises(BadRequest, match=complaint):
        find_recordings(tmp_path / "bad.tsv")


# -- measuring -----------------------------------------------------------------------------------
def test_perfect_sounds_give_no_errors() -> None:
    sounds = [sound for word in IKHLAS.words for sound in word.phones]
    live = [heard(*sounds)]
    tally = Tally()
    tally.add(IKHLAS, 2.5, [Hearing(0, 2500, "قل هو الله احد", phones=live[0].phones)], live)
    tally.judge(review(IKHLAS, live))

    rates = tally.rates()
    assert (rates.wer, rates.cer, rates.per, rates.live_per) == (0.0, 0.0, 0.0, 0.0)
    assert (rates.correct, rates.false_alarms, rates.words) == (1.0, 0.0, 4)


def test_errors_are_shares_of_what_was_said() -> None:
    tally = Tally()
    tally.add(IKHLAS, 2.5, [Hearing(0, 2500, "قل هو الله كتب")], [])
    rates = tally.rates()
    assert (rates.wer, rates.per) == (0.25, None)


def test_either_spelling_counts_as_the_word() -> None:
    passage = load_passage(VerseRange.parse("109:1"))
    assert as_reference("قل يا أيها الكافرون", passage) == [word.skeleton for word in passage.words]


def test_sounds_of_an_overlap_count_once() -> None:
    windows = [heard("q", "u", "l"), heard("l", "h", "u", start_ms=200, end_ms=2700)]
    assert joined_sounds([Hearing(0, 300, phones=windows[0].phones), windows[1]]) == list("qulhu")


# -- weights -------------------------------------------------------------------------------------
def test_weights_survive_reading_and_writing(tmp_path: Path) -> None:
    original = locate(BUNDLED) / "model.bin"
    write_weights(read_weights(original), tmp_path / "model.bin")
    assert (tmp_path / "model.bin").read_bytes() == original.read_bytes()


def test_int8_of_int8_is_the_same() -> None:
    weights = read_weights(locate(BUNDLED) / "model.bin")
    again = weights.as_type("int8")
    assert again.variables.keys() == weights.variables.keys()
    assert all(np.array_equal(value, again.variables[name]) for name, value in weights.variables.items())


@pytest.mark.parametrize("content", [b"", b"\x06\0\0\0", b"\x01\0\0\0abcdef"])
def test_other_files_are_no_weights(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.bin").write_bytes(content)
    with pytest.raises(ModelNotUsable, match="cannot be read"):
        read_weights(tmp_path / "model.bin")


def test_every_type_is_written_and_measured(tiny: Path, tmp_path: Path) -> None:
    recordings = bundled_recordings()[-1:]
    found = compare(tiny, tmp_path / "out", ["int16", "int8"], recordings, max_wer_increase=1000)

    assert found.source_type == "float32"
    assert [variant.number_type for variant in found.variants] == ["int16", "int8"]
    assert found.acceptable
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"int16", "int8"}
    stored = {kind: read_weights(tmp_path / "out" / kind / "model.bin") for kind in ("int16", "int8")}
    assert {kind: weights.stored_as for kind, weights in stored.items()} == {"int16": "int16", "int8": "int8"}


def test_the_bundled_model_hears_the_bundled_samples() -> None:
    """Catches weights that were damaged on their way into `models/`, whatever the card says."""
    engine = CTranslate2Engine(locate(BUNDLED), ComputeOptions("cpu", "int8", 1))
    rates = evaluate(Listener(engine), bundled_recordings()).all
    engine.close()
    assert rates.live_per is not None
    assert rates.live_per < 0.1
    assert (rates.correct, rates.false_alarms) == (1.0, 0.0)


# -- commands ------------------------------------------------------------------------------------
def test_info_says_what_the_bundled_model_is(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["model", "info", "--json", str(tmp_path / "facts.json")])

    assert result.exit_code == 0, result.output
    facts = json.loads((tmp_path / "facts.json").read_bytes())
    assert facts["name"] == "rattil-tiny"
    assert facts["head"]["symbols"] > 60
    assert (facts["width"], facts["decoder_width"]) == (256, 256)
    assert sum(facts["files"].values()) < 15_000_000


def test_evaluate_reports_by_reciter(folder: Path, tmp_path: Path) -> None:
    arguments = ["model", "evaluate", str(folder / "manifest.tsv"), "--json", str(tmp_path / "figures.json")]
    result = CliRunner().invoke(app, arguments)

    assert result.exit_code == 0, result.output
    figures = json.loads((tmp_path / "figures.json").read_bytes())
    assert list(figures["reciters"]) == ["me"]
    assert figures["all"]["recordings"] == 1
    assert figures["all"]["words"] == 29


def test_quantize_refuses_too_great_a_loss(tiny: Path, tmp_path: Path) -> None:
    arguments = ["model", "quantize", str(tiny), str(tmp_path), "--types", "float32"]
    assert CliRunner().invoke(app, [*arguments, "--max-wer-increase", "0"]).exit_code == 0
    assert CliRunner().invoke(app, [*arguments, "--max-wer-increase", "-1"]).exit_code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["info", "/no/such/model"],
        ["evaluate", "/no/such/folder"],
        ["quantize", "/no/such/model", "out"],
        ["quantize", BUNDLED, "out", "--types", "int3"],
    ],
)
def test_wrong_usage_exits_with_2_and_a_sentence(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, ["model", *arguments])
    assert result.exit_code == 2
    assert len(result.stderr.split()) > 4
