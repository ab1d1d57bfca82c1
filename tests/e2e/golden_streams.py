"""Recorded event streams: kept compactly, compared with what clients receive now."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from rapidfuzz.distance import Levenshtein

FOLDER: Final = Path(__file__).parent.parent / "golden" / "streams"
FIRST_FOLDER: Final = FOLDER.with_name("first_streams")
"""Of the build before sessions were opened to other dialects: never recorded again."""
TOLERANCE: Final = 0.0401
"""Times (s) and shares may differ by this much: two frames of the model, as another CPU rounds otherwise."""
CONFIDENCE_TOLERANCE: Final = 0.25
"""Confidences may differ by more: the curves that they are read off are steep in places."""
DECODED: Final = frozenset({"partial_transcript", "transcript", "transcribed_text", "heard"})
"""What the model wrote, letters or sounds: of two that are about as likely another CPU takes the other."""
DECODED_TOLERANCE: Final = 0.3
"""So much of it, as a share of its characters, may differ. What is made of it, a word's state, may not."""
VOLATILE: Final = frozenset(
    {"session_id", "connection_id", "epoch", "message", "fallback", "timing_ms", "queued_ms", "inference_ms",
     "total_ms"}
)  # fmt: skip
"""Fields whose values differ from run to run, or are sentences that may be reworded."""
IMPROVED: Final = frozenset(
    {"confidence", "confidence_score", "confidence_level", "start_time", "end_time", "heard", "expected",
     "timing_data"}
)  # fmt: skip
"""Fields of a word that are better than in the first build: calibrated confidences, times of a word that is
heard again, the joined or stopped reading that was recited."""

Event = dict[str, Any]
Stream = dict[str, Any]


def steady(value: Any) -> Any:
    """Without what differs from run to run; a field stays, its value goes."""
    if isinstance(value, dict):
        return {name: "*" if name in VOLATILE else steady(item) for name, item in value.items()}
    return [steady(item) for item in value] if isinstance(value, list) else value


def compact(stream: Any) -> Any:
    """Each `word_feedback` as what changed since the event before it: {index: entry}."""
    if isinstance(stream, dict) and "events" in stream:
        return stream | {"events": _changes(stream["events"])}
    return {name: compact(part) for name, part in stream.items()}


def _changes(events: list[Event]) -> list[Event]:
    known: dict[int, Event] = {}
    packed = []
    for event in events:
        if "word_feedback" in event:
            words = {word["index"]: word for word in event["word_feedback"]}
            new = {str(index): word for index, word in words.items() if known.get(index) != word}
            known, event = words, event | {"word_feedback": new, "words": len(words)}
        packed.append(event)
    return packed


def expand(stream: Any) -> Any:
    """What `compact` was given."""
    if not (isinstance(stream, dict) and "events" in stream):
        return {name: expand(part) for name, part in stream.items()}
    known: dict[int, Event] = {}
    events = []
    for event in stream["events"]:
        if "word_feedback" in event:
            known |= {int(index): word for index, word in event["word_feedback"].items()}
            event = event | {"word_feedback": [known[index] for index in range(event["words"])]}
            del event["words"]
        events.append(event)
    return stream | {"events": events}


def load(name: str, folder: Path = FOLDER) -> Any:
    return expand(json.loads((folder / f"{name}.json").read_text(encoding="utf-8")))


def differences(recorded: Any, now: Any, where: str = "") -> list[str]:
    """Where a stream is no longer what it was. New fields and new kinds of events are no difference."""
    if isinstance(recorded, dict) and isinstance(now, dict):
        gone = [f"{where}.{name} is gone" for name in recorded if name not in now]
        kept = (name for name in recorded if name in now)
        return gone + [d for name in kept for d in differences(recorded[name], now[name], f"{where}.{name}")]
    if isinstance(recorded, list) and isinstance(now, list):
        now = _without_new_kinds(recorded, now)
        if len(recorded) != len(now):
            return [f"{where} has {len(now)} items, not {len(recorded)}"]
        pairs = enumerate(zip(recorded, now, strict=True))
        return [d for at, (old, new) in pairs for d in differences(old, new, f"{where}[{at}]")]
    field = where.rpartition(".")[2]
    if field in DECODED and _nearly(recorded, now):
        return []
    tolerance = CONFIDENCE_TOLERANCE if "confidence" in field else TOLERANCE
    if isinstance(recorded, float) and isinstance(now, float) and abs(recorded - now) <= tolerance:
        return []
    return [] if recorded == now else [f"{where} is {now!r}, not {recorded!r}"]


def _nearly(recorded: Any, now: Any) -> bool:
    if not (isinstance(recorded, str) and isinstance(now, str)):
        return False
    return Levenshtein.normalized_distance(recorded, now) <= DECODED_TOLERANCE


def _without_new_kinds(recorded: list[Any], now: list[Any]) -> list[Any]:
    kinds = {item["type"] for item in recorded if isinstance(item, dict) and "type" in item}
    if not kinds:
        return now
    return [item for item in now if not isinstance(item, dict) or item.get("type") in kinds]


def store(name: str, stream: Stream, folder: Path) -> None:
    """Write a stream down; one event a line, so that a change can be read."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(compact(stream), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    text = text.replace('{"acks"', '\n{"acks"').replace(',{"', ',\n{"')
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def since_first(first: Any, now: Any) -> list[str]:
    """Where a stream is not what a client of the first build would have received.

    Compared are kinds and order of all events, acks, close codes, errors, every field, and the status of each
    word from the event on in which the first build called it final. Left out is what was meant to become
    better: `IMPROVED`, and the status of a word before it is final.
    """
    return differences(_settled(first, first), _settled(first, now))


def _settled(first: Any, value: Any) -> Any:
    """`value` without what the same place of `first` shows to be free to differ."""
    if isinstance(first, dict) and isinstance(value, dict):
        free = IMPROVED if "word" in first or "word_analysis" in first else frozenset()
        if first.get("final") is False:
            free |= {"status", "final", "feedback"}
        return {name: _settled(first.get(name), item) for name, item in value.items() if name not in free}
    if isinstance(first, list) and isinstance(value, list):
        value = _without_new_kinds(first, value)
        if len(first) == len(value):
            return [_settled(old, new) for old, new in zip(first, value, strict=True)]
    return value
