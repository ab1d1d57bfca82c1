"""The final report of a recitation as a table."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.signs import STYLES, signs_for, writable
from rattil.client.recitation import Report


def score_table(report: Report, console: Console) -> Table:
    """The final report: the score, how many words of which state, and the words to look at again."""
    signs = signs_for(console)
    counts = Counter(word.status for word in report.word_analysis)
    table = Table(title="Result", show_header=False, title_justify="left")
    table.add_column("what", style="bold")
    table.add_column("value")
    if report.accuracy_score is not None:
        table.add_row("score", f"{report.accuracy_score:.1f} %")
    for status, style in STYLES.items():
        if counts[status]:
            table.add_row(status, Text(str(counts[status]), style=style))
    in_verse: Counter[str] = Counter()
    for word in report.word_analysis:
        in_verse[word.verse_key] += 1
        if word.status not in ("correct", "pending"):
            where = f"{signs.get(word.status, '?')} {word.verse_key} word {in_verse[word.verse_key]}"
            table.add_row(
                Text(where, style=STYLES.get(word.status, "")),
                writable(console, f"{word.word}  {word.feedback or ''}"),
            )
    if report.model:
        table.add_row("judged by", writable(console, report.model))
    if report.teacher_feedback_text:
        table.add_row("feedback", writable(console, report.teacher_feedback_text))
    return table
