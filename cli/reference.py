"""`rattil reference check URL`: is a published tree of reference recitations complete and cacheable?

The tree is `reference/{reciter}/{sura}{aya}.mp3` with three digits each, as docs/operations.md lays it out.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import httpx
import typer
from rich.console import Console

from shared.recitation.reference.passage import verse_counts

YEAR_S = 365 * 24 * 3600
SHOWN = 20
"""Files named for each fault; the rest is counted."""

app = typer.Typer(no_args_is_help=True, help="Reference recitations on a CDN.")


@app.callback()
def _reference() -> None:
    """Reference recitations on a CDN."""


@dataclass(slots=True)
class Findings:
    """What was found: how many files are right, and fault to the files that have it."""

    right: int = 0
    faults: dict[str, list[str]] = field(default_factory=dict)
    cache: Counter[str] = field(default_factory=Counter)

    @property
    def wrong(self) -> int:
        return len({path for paths in self.faults.values() for path in paths})


@app.command()
def check(
    url: Annotated[str, typer.Argument(help="Where the tree is published: the address above reference/.")],
    reciter: Annotated[list[str], typer.Option("--reciter", help="Folder of a reciter; may be repeated.")],
    sura: Annotated[
        list[int] | None, typer.Option("--sura", min=1, max=114, help="Only this sura; may be repeated.")
    ] = None,
    at_once: Annotated[int, typer.Option(min=1, max=128, help="Requests at once.")] = 16,
) -> None:
    """Ask for every verse's file: is it there, is it audio, may it be cached for a year and read in parts?

    Exit codes: 0 all right, 1 something is wrong, 2 wrong usage, 4 nothing can be reached.

    [bold]Examples[/]

      rattil reference check https://cdn.example.org --reciter husary-v1
      rattil reference check https://cdn.example.org --reciter husary-v1 --sura 1 --sura 112
    """
    console = Console()
    if not url.startswith(("http://", "https://")):
        Console(stderr=True).print(f"{url!r} is no http:// or https:// address", style="red", markup=False)
        raise typer.Exit(2)
    paths = [path for name in reciter for path in paths_of(name, sura or ())]
    try:
        findings = asyncio.run(ask_all(url.rstrip("/"), paths, at_once))
    except httpx.TransportError as error:
        Console(stderr=True).print(f"{url} cannot be reached: {error}", style="red", markup=False)
        raise typer.Exit(4) from error
    show(console, findings)
    raise typer.Exit(1 if findings.faults else 0)


def paths_of(reciter: str, suras: Sequence[int] = ()) -> list[str]:
    """The paths of every verse (of these suras), below the address."""
    return [
        f"reference/{reciter}/{sura:03d}{aya:03d}.mp3"
        for sura, verses in enumerate(verse_counts(), 1)
        if not suras or sura in suras
        for aya in range(1, verses + 1)
    ]


async def ask_all(base: str, paths: Iterable[str], at_once: int) -> Findings:
    """Ask for each file's headers. Raises `httpx.TransportError` if even the first cannot be asked for."""
    findings = Findings()
    waiting = list(paths)[::-1]
    async with httpx.AsyncClient(base_url=base, timeout=20, follow_redirects=True) as http:
        first = waiting.pop()
        note(findings, first, await http.head(f"/{first}"))

        async def ask() -> None:
            while waiting:
                path = waiting.pop()
                try:
                    note(findings, path, await http.head(f"/{path}"))
                except httpx.TransportError as error:
                    findings.faults.setdefault(f"no answer ({type(error).__name__})", []).append(path)

        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(ask())
    return findings


def note(findings: Findings, path: str, answer: httpx.Response) -> None:
    """Judge one answer."""
    faults = list(faults_of(answer))
    for fault in faults:
        findings.faults.setdefault(fault, []).append(path)
    findings.right += not faults
    hit = answer.headers.get("x-cache", answer.headers.get("cf-cache-status", "")).lower()
    findings.cache["hit" if "hit" in hit else "miss" if hit else "not told"] += 1


def faults_of(answer: httpx.Response) -> Iterable[str]:
    """What is wrong with the answer for one file, in words."""
    if answer.status_code != 200:
        yield f"status {answer.status_code}"
        return
    kind = answer.headers.get("content-type", "").partition(";")[0].strip()
    if kind not in ("audio/mpeg", "audio/mp3"):
        yield f"content type {kind or 'none'}, not audio/mpeg"
    if int(answer.headers.get("content-length") or 0) < 1000:
        yield "no audio in it: shorter than 1000 bytes, or of unknown length"
    age = re.search(r"max-age=(\d+)", answer.headers.get("cache-control", ""))
    if age is None or int(age[1]) < YEAR_S:
        yield f"may not be cached for a year (Cache-Control: {answer.headers.get('cache-control') or 'none'})"
    if answer.headers.get("accept-ranges", "").lower() != "bytes":
        yield "cannot be read in parts (Accept-Ranges)"


def show(console: Console, findings: Findings) -> None:
    """For people."""
    for fault, paths in findings.faults.items():
        console.print(f"{len(paths)} files: {fault}", style="red", markup=False, highlight=False)
        for path in sorted(paths)[:SHOWN]:
            console.print(f"  {path}", markup=False, highlight=False)
        if len(paths) > SHOWN:
            console.print(f"  … and {len(paths) - SHOWN} more", highlight=False)
    cache = ", ".join(f"{number} {what}" for what, number in findings.cache.most_common())
    console.print(f"{findings.right} files right, {findings.wrong} wrong; cache: {cache}", highlight=False)
