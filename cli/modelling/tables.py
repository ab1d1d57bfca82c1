"""Figures as tables for people."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table

from cli.modelling.evaluation import Evaluation
from cli.modelling.information import ModelFacts
from cli.modelling.measures import Rates
from cli.modelling.quantisation import Comparison, Variant

NOT_GIVEN = "-"


def facts_table(facts: ModelFacts) -> Table:
    """One line per fact."""
    table = _table(f"{facts.name} {facts.version}".strip(), ("", "left"), ("", "left"))
    kind = "stock Whisper" if facts.stock else "own card (model.json)"
    head = f"{facts.head.symbols} symbols, {facts.head.frame_ms:g} ms a frame" if facts.head else "none"
    rows = {
        "path": facts.path,
        "kind": kind,
        "parameters": f"{facts.parameters / 1e6:.1f} M, stored as {facts.stored_as}",
        "layers": f"encoder {facts.encoder_layers} of width {facts.width}, "
        f"decoder {facts.decoder_layers} of width {facts.decoder_width}",
        "features": f"{facts.mels} mel bands every {facts.hop_ms:g} ms",
        "vocabulary": f"{facts.vocabulary} tokens",
        "script": facts.script,
        "languages": ", ".join(facts.languages) or "as the session asks",
        "prompt": " ".join(facts.prompt) or "Whisper's own",
        "context": facts.context,
        "phoneme head": head,
        "files": ", ".join(f"{name} {_size(size)}" for name, size in facts.files.items()),
        "total": _size(sum(facts.files.values())),
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def results_table(results: dict[str, dict[str, object]]) -> Table:
    """The results a model's maker wrote down: one line per group of recordings."""
    measures = sorted({name for rates in results.values() for name in rates}, key=_measure_order)
    columns = [(name.replace("_", " "), "right") for name in measures]
    table = _table("results (by the model's maker)", ("recordings", "left"), *columns)
    for group, rates in results.items():
        table.add_row(group, *(str(rates.get(name, NOT_GIVEN)) for name in measures))
    return table


def evaluation_table(evaluation: Evaluation) -> Table:
    """One line per reciter: error rates of text and sounds, then how the words stood at the end."""
    table = _table(
        f"{evaluation.model} {evaluation.version} ({evaluation.compute_type} on {evaluation.device}), "
        f"live windows of {evaluation.window_s:g} s, overlap {evaluation.overlap_s:g} s",
        ("reciter", "left"),
        *(
            (name, "right")
            for name in (
                *("files", "words", "WER", "CER", "PER", "PER live"),
                *("correct", "minor", "wrong", "missing", "pending", "false alarms"),
            )
        ),
    )
    for reciter, rates in evaluation.reciters.items():
        table.add_row(reciter, *_rates_row(rates))
    if len(evaluation.reciters) > 1:
        table.add_section()
        table.add_row("all", *_rates_row(evaluation.all))
    return table


def comparison_table(comparison: Comparison) -> Table:
    """One line per number type."""
    table = _table(
        f"{comparison.source} (from {comparison.source_type}); "
        f"limit {comparison.max_wer_increase:g} points above float32",
        ("type", "left"),
        ("computed as", "left"),
        *((name, "right") for name in ("MB", "ms/window", "WER", "change", "PER", "change", "false alarms")),
        ("", "left"),
    )
    for variant in comparison.variants:
        table.add_row(*_variant_row(variant))
    return table


def _variant_row(variant: Variant) -> Iterable[str]:
    return (
        variant.number_type,
        variant.computed_as,
        f"{variant.megabytes:.2f}",
        f"{variant.ms_per_window:.1f}",
        _percent(variant.wer),
        f"{variant.wer_change:+.2f}",
        _percent(variant.per),
        NOT_GIVEN if variant.per_change is None else f"{variant.per_change:+.2f}",
        _percent(variant.false_alarms),
        "ok" if variant.acceptable else "too much is lost",
    )


def _rates_row(rates: Rates) -> list[str]:
    return [
        str(rates.recordings),
        str(rates.words),
        *(_percent(rate) for rate in (rates.wer, rates.cer, rates.per, rates.live_per)),
        *(_percent(rate) for rate in (rates.correct, rates.minor_mistake, rates.wrong, rates.missing)),
        _percent(rates.pending),
        _percent(rates.false_alarms),
    ]


def _percent(rate: float | None) -> str:
    return NOT_GIVEN if rate is None else f"{rate * 100:.1f}"


def _size(size: int) -> str:
    return f"{size / 1e6:.2f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"


def _measure_order(name: str) -> tuple[int, str]:
    known = ("clips", "stream_per", "per", "cer", "wer")
    return (known.index(name) if name in known else len(known), name)


def _table(title: str, *columns: tuple[str, str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for name, side in columns:
        table.add_column(name, justify="right" if side == "right" else "left")
    return table
