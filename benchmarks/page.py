"""Writes docs/performance.md and its picture from the JSON files beside it: `python -m benchmarks.page`.

Figures are never typed by hand; run the benchmarks with `--json docs/performance/NAME.json`, then this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.machine import ROOT
from benchmarks.scaling.picture import draw_saved

FOLDER = ROOT / "docs" / "performance"
PAGE = ROOT / "docs" / "performance.md"
PICTURES = ROOT / "docs" / "pictures"

INTRODUCTION = """# Performance

Written by `python -m benchmarks.page` from the JSON files in [performance/](performance/), which the
commands below wrote; each holds the machine, the versions, the command and everything that was measured.
Repeat any of them with `rattil bench NAME [--quick] [--json FILE]`.

Latency always runs from the last sample of a segment sent to its result received, on the client's side.
A reciter sends 4 frames a second on an absolute schedule; a segment is 2.5 s of audio and comes every 2 s.
"""

SECTIONS: Mapping[str, tuple[str, str]] = {
    "asr": (
        "Decoding: what batching and short windows are worth",
        "The same model, the same windows of the bundled recitations, the same cores, interleaved in one "
        "run. *rattil-bN* is the worker's engine with N sessions in a batch, windows at their own length; "
        "*single-lock* is one window at a time, padded to 30 s, behind a lock, as naive live servers do; "
        "*transcribe* and *batched-pipeline* are faster-whisper's two front doors, with every option that "
        "helps them. The phoneme head costs nearly nothing; the encoder is most of the time. On real voices "
        "(`--recordings`: 40 verses each of two reciters the model never heard) rattil-b16 and single-lock "
        "had a WER of 0.083 and 0.094, of the text alone 0.445 and 0.555.",
    ),
    "serve": (
        "The whole system on one machine, and its peers",
        "Router, gateway, worker, Redis and the load generator share the cores. The number of live "
        "reciters of real speech is doubled until the 95th percentile passes 500 ms or anything is lost. "
        "Peers get the same model and speech; they decode a growing buffer again and again, so how late "
        "their text is, is measured from marks in the audio (`benchmarks/peers/streams.py` says how).",
    ),
    "dialects": (
        "Every dialect, and the peers with the same model",
        "Clients of one dialect at a time; router, gateway, worker, Redis and the clients share the cores. "
        "One rule for all: the delay of a message that has heard further than any before it runs from the "
        "moment at which the last sample it has heard was sent; where a dialect shows only words that stand, "
        "the client asks (flush, commit, end of the stream) and the answer is timed. Where a service listens "
        "for the end of speech, only results before that end are timed: the others wait for the silence. The "
        "first table is with the bundled model, the second with Whisper base, a general model: it takes 0.1 "
        "to 0.6 s of a core for a window. Two cores hold few sessions with it, the peers none within 500 ms.",
    ),
    "words": (
        "From a word said to its colour",
        "A few reciters are measured while others keep the service as busy as the row says. A word was said "
        "when the service itself found its end; it is shown with the first event that has a state for it, "
        "settled with the first in which the state is final.",
    ),
    "agreement": (
        "When a word stands: three ways to cut a live transcription",
        "The product's own segmenters and interpreters over real recordings, one session, with a clock of "
        "their own: audio comes at the pace of life, a look takes as long as the engine really took. *fixed* "
        "cuts windows of 2.5 s with 0.5 s of overlap, and what is heard stands at once; *growing* looks "
        "again at what does not stand yet, and what two looks agree on stands (LocalAgreement); *utterance* "
        "does the same from where speech begins to where it ends.",
    ),
    "overload": (
        "Twice the offered capacity",
        "The workers find out how many reciters they hold at their latency target; so many stream, alone and "
        "while as many again knock at the door every five seconds. Those inside must not notice, everybody "
        "else must be told ([scaling.md](scaling.md) says how).",
    ),
    "scaling": (
        "Workers that come and go",
        "An autoscaler in the loop, without a cluster: a controller that follows the ScaledObject which the "
        "chart renders (KEDA's query, polling, cooldown and fallback, the policies of the autoscaler of "
        "Kubernetes) starts and stops real workers while reciters come, recite to their final report, and "
        "leave. The pool is asleep before them, goes to sleep after them, and is woken once more. Workers "
        "are given fewer slots than they hold, so that a few dozen reciters need several: this measures the "
        "loop, not a worker.\n\n"
        "![sessions, and the workers that are wanted, asked for and ready](pictures/scaling.svg)",
    ),
    "gateway": (
        "One gateway process",
        "The scripted engine takes no time, so that the gateway is what is measured; it hears a correct "
        "recitation, so that the alignment works as in life.",
    ),
    "bus": (
        "Redis",
        "The product's own bus code, segments of 80 kB, every session at full speed. *STORE_AUDIO=tail* "
        "also stores each second of audio, as the default does.",
    ),
    "codecs": (
        "How audio travels",
        "`WS_SEGMENT_CODEC` and `STORE_AUDIO_CODEC`: bytes, CPU at both ends, and the effect on what is "
        "heard. Every push also stores the audio that no earlier window had; where both have the same codec "
        "it travels once. Recordings other than the bundled ones are real ones, by reciters that the model "
        "was not trained on (`--recordings`).",
    ),
    "capacity": (
        "What 1,000, 10,000 and 100,000 reciters need",
        "From the costs above, with a simulation of the worker pool instead of averages.",
    ),
    "recitations": (
        "Real recordings at the pace of life",
        "Recordings without mistakes of voices the model never heard, recited into the running system by the "
        "reference client, many at a time; [models.md](models.md) says more about accuracy.",
    ),
    "soak": (
        "Ten minutes",
        "Reciters come and go; anonymous memory is sampled every second, the slope is of the second half. "
        "A connection that has ended leaves nothing for the garbage collector. Workers and routers collect "
        "once a minute and give free pages back, in a millisecond; a gateway does after 200 ended "
        "connections, or ten for each live one if that is more "
        "(`gateway/connection/ended_connections.py` says what it costs).",
    ),
}


def page(folder: Path) -> str:
    """The page for the JSON files in `folder`; a benchmark without a file is left out."""
    parts = [INTRODUCTION]
    for name, (title, text) in SECTIONS.items():
        for number, path in enumerate(_saved(folder, name)):
            head = f"## {title}\n\n{text}\n" if number == 0 else ""
            parts.append(head + _section(msgspec.json.decode(path.read_bytes())))
    return "\n".join(parts)


def _saved(folder: Path, name: str) -> list[Path]:
    """`NAME.json`, and `NAME-….json` where a benchmark was saved in several runs."""
    whole = folder / f"{name}.json"
    return [*([whole] if whole.is_file() else []), *sorted(folder.glob(f"{name}-*.json"))]


def pictures(folder: Path) -> dict[str, str]:
    """File name to content of the pictures that are drawn from the JSON files in `folder`."""
    path = folder / "scaling.json"
    if not path.is_file():
        return {}
    return {"scaling.svg": draw_saved(msgspec.json.decode(path.read_bytes())["figures"])}


def _section(saved: Mapping[str, Any]) -> str:
    lines = [""]
    for table in saved["tables"]:
        lines += [f"**{table['title']}**", "", *_table(table["columns"], table["rows"]), ""]
    lines += [f"Note: {note}.\n" for note in saved["notes"]]
    headline = " ".join(f"`{key}={_shown(value)}`" for key, value in saved["headline"].items())
    lines += [f"Headline: {headline}", "", _where(saved), ""]
    return "\n".join(lines)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    aligned = [":--", *["--:"] * (len(columns) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (columns, aligned, *rows)]


def _where(saved: Mapping[str, Any]) -> str:
    machine = saved["machine"]
    model = f"model {saved['model']}, " if saved["model"] else ""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"<sub>{machine['date']}, `{saved['command']}`, {model}{machine['cpu']}, {machine['cores']} cores, "
        f"{machine['memory_gb']} GB, load {machine['load_1min']} at the end, commit {machine['commit']}, "
        f"Python {machine['python']}, {versions}</sub>"
    )


def _shown(value: object) -> str:
    if value is None:
        return "unknown"
    return f"{value:.4g}" if isinstance(value, float) and abs(value) < 1000 else str(value)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(FOLDER), encoding="utf-8")
    for name, picture in pictures(FOLDER).items():
        (PICTURES / name).write_text(picture, encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
