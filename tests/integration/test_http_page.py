"""The page as it is served: whole, from nowhere else, safe, small."""

from __future__ import annotations

import itertools
import json
import math
import re
from pathlib import Path

import pytest

from cli.sample_files import load_samples, samples_folder
from gateway.http.page import page_info
from gateway.settings import GatewaySettings
from shared.recitation.reference.passage import verse_counts
from tests.integration.edge import edge

STATIC = Path(__file__).parent.parent.parent / "gateway" / "static"
SCRIPTS = sorted(STATIC.rglob("*.js"))
TEXTS = [path for path in STATIC.rglob("*") if path.suffix in {".js", ".css", ".html", ".webmanifest"}]
LARGEST_PAGE = 120_000
"""Bytes on the line of everything but fonts and pictures for home screens."""


async def test_the_page_is_served_with_a_strict_policy() -> None:
    async with edge() as running:
        page = await running.http.get("/")
        script = await running.http.get("/page.js")
    assert page.status_code == script.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert script.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(STATIC).as_posix())
def test_nothing_is_loaded_from_elsewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"(?:https?:)?//[a-z0-9-]+\.[a-z]", text)
    assert "style=" not in text if path.suffix == ".html" else True


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.relative_to(STATIC).as_posix())
def test_every_module_that_a_script_names_is_there(path: Path) -> None:
    for name in re.findall(r"(?:from|import) '(\.[^']+)'", path.read_text(encoding="utf-8")):
        assert (path.parent / name).is_file(), name


async def test_every_file_of_the_page_is_named_and_served() -> None:
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    styles = {path: path.read_text(encoding="utf-8") for path in STATIC.rglob("*.css")}
    named = {name for name in re.findall(r'(?:href|src)="([^#"]+)"', page)}
    named |= {
        (path.parent / name).resolve().relative_to(STATIC).as_posix()
        for path, text in styles.items()
        for name in re.findall(r'url\("([^"]+)"\)', text)
    }
    async with edge() as running:
        info = (await running.http.get("/page.json")).json()
        statuses = {
            name: (await running.http.get(f"/{name}")).status_code for name in {*named, *info["files"]}
        }
    assert set(statuses.values()) == {200}, statuses
    assert named <= set(info["files"])
    assert "./" in info["files"]
    assert "service-worker.js" not in info["files"]


async def test_the_page_is_small() -> None:
    async with edge() as running:
        files = (await running.http.get("/page.json")).json()["files"]
        sizes = {
            name: (await running.http.get(f"/{name}")).num_bytes_downloaded for name in files if small(name)
        }
    assert len(sizes) > 30
    assert sum(sizes.values()) <= LARGEST_PAGE, sizes


def small(name: str) -> bool:
    """Neither a font nor a picture for home screens."""
    return not name.endswith((".woff2", ".png"))


def test_the_page_knows_the_number_of_verses_of_every_sura() -> None:
    script = (STATIC / "passage" / "suras.js").read_text(encoding="utf-8")
    names, _, rest = script.partition("const ARABIC_NAMES")
    arabic, _, counts = rest.partition("const COUNTS")
    quoted = re.findall(r"'([\d ]+)'", counts)
    assert tuple(int(number) for number in " ".join(quoted).split()) == verse_counts()
    for listed in (names, arabic):
        assert len("".join(re.findall(r"'([^']*)'", listed)).split("|")) == 114


def test_parts_and_pages_cover_the_quran() -> None:
    script = (STATIC / "passage" / "divisions.js").read_text(encoding="utf-8")
    juz, _, pages = script.partition("const PAGE_LENGTHS")
    starts = [int(number) for number in " ".join(re.findall(r"'([\d ]+)'", juz)).split()]
    lengths = [int(number) for number in " ".join(re.findall(r"'([\d ]+)'", pages)).split()]
    assert (len(starts), starts[0], starts[-1]) == (30, 1, sum(verse_counts()[:77]) + 1)
    assert starts == sorted(starts)
    assert (len(lengths), sum(lengths)) == (604, sum(verse_counts()))


def test_every_sentence_is_there_in_both_languages_with_the_same_places() -> None:
    script = (STATIC / "language" / "strings.js").read_text(encoding="utf-8")
    english, _, arabic = script.partition("\n  ar: {")
    pattern = re.compile(r"^    '([\w.]+)': '(.*)',$", re.MULTILINE)
    listed = [pattern.findall(part) for part in (english, arabic)]
    said = [dict(part) for part in listed]
    assert [len(part) for part in listed] == [len(part) for part in said], "a sentence is there twice"
    assert said[0].keys() == said[1].keys()
    places = [{key: sorted(re.findall(r"{\w+}", text)) for key, text in part.items()} for part in said]
    assert places[0] == places[1]
    assert not [
        key for key, text in said[1].items() if not re.search("[\u0600-\u06ff]", re.sub(r"{\w+}", "م", text))
    ]


def test_every_sentence_that_the_page_asks_for_is_there() -> None:
    english = (STATIC / "language" / "strings.js").read_text(encoding="utf-8")
    known = set(re.findall(r"^    '([\w.]+)':", english, re.MULTILINE))
    asked: set[str] = set()
    for path in [*SCRIPTS, STATIC / "index.html"]:
        text = path.read_text(encoding="utf-8")
        asked |= set(re.findall(r'data-say(?:-label|-hint)?="([\w.]+)"', text))
        asked |= set(re.findall(r"(?:text|say|status|countDown|line)\((?:[^'`]*, )?'([a-z]+\.[\w.]+)'", text))
    assert len(asked) > 90
    assert asked - known == set()


NOT_FOR_RECITERS = {
    # The status line says that it takes longer.
    "server_busy",
    "audio_too_fast",
    # One window: its words are shown as not judged.
    "asr_failed",
    "bad_audio",
    "poison",
    "expired",
    "timeout",
    # Of HTTP calls that the page does not make.
    "unknown_session",
    "upload_too_slow",
    "too_many_uploads",
    "unknown_job",
    "store_unavailable",
    # Of sockets that the page does not open.
    "unsupported_version",
    "no_pong",
    "lagging",
    "overloaded",
    "diarization_unavailable",
    # Of recordings that the page does not ask to be kept.
    "recordings_full",
}


def test_every_error_code_has_a_sentence_of_its_own() -> None:
    protocol = (STATIC.parent.parent / "docs" / "protocol.md").read_text(encoding="utf-8")
    errors = protocol.partition("### `error`")[2].partition("### Close codes")[0]
    codes = set(re.findall(r"^\| `(\w+)` \|", errors, re.MULTILINE))
    sentences = (STATIC / "language" / "strings.js").read_text(encoding="utf-8")
    said = set(re.findall(r"^    'error\.(\w+)':", sentences, re.MULTILINE))
    assert len(codes) > 25
    assert codes - NOT_FOR_RECITERS - said == set()
    assert {"close_1008", "close_4501", "close_4502", "close_4503"} <= said


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it, of a colour written `#rrggbb`."""
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def oklab(colour: str) -> tuple[float, float, float]:
    """A colour in Oklab, where distances are about as large as the eye sees them."""
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    cones = ((0.4122, 0.5363, 0.0514), (0.2119, 0.6807, 0.1074), (0.0883, 0.2817, 0.6300))
    long, middle, short = (
        sum(part * share for part, share in zip(row, linear, strict=True)) ** (1 / 3) for row in cones
    )
    return (
        0.2105 * long + 0.7936 * middle - 0.0041 * short,
        1.9780 * long - 2.4286 * middle + 0.4506 * short,
        0.0259 * long + 0.7828 * middle - 0.8087 * short,
    )


def themes() -> list[dict[str, str]]:
    """The colours of every theme, by name."""
    styles = (STATIC / "styles" / "theme.css").read_text(encoding="utf-8")
    found = [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
        for block in re.findall(r"{([^{}]*--paper:[^{}]*)}", styles)
    ]
    assert len(found) == 4
    return found


SIGNS = ("minor", "wrong", "missing")
ORNAMENTS = ("verse-end", "edge", "ink")


@pytest.mark.parametrize("theme", themes(), ids=lambda theme: theme["paper"])
def test_a_deviation_is_read_well_and_looks_like_no_ornament(theme: dict[str, str]) -> None:
    for name in (*SIGNS, "verse-end", "quiet"):
        light, dark = sorted((luminance(theme["paper"]), luminance(theme[name])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, name
    for sign, ornament in itertools.product(SIGNS, ORNAMENTS):
        assert math.dist(oklab(theme[sign]), oklab(theme[ornament])) > 0.12, (sign, ornament)
    for one, other in itertools.combinations(SIGNS, 2):
        assert math.dist(oklab(theme[one]), oklab(theme[other])) > 0.09, (one, other)


def test_the_place_and_hidden_words_are_seen_in_every_theme() -> None:
    for theme in themes():
        paper = luminance(theme["paper"])
        for name in ("accent", "control"):
            light, dark = sorted((paper, luminance(theme[name])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 3, (theme["paper"], name)  # WCAG 2, 1.4.11
    mushaf = (STATIC / "styles" / "mushaf.css").read_text(encoding="utf-8")
    assert (
        "border-block-end-color: var(--accent)"
        in mushaf.partition(".word[aria-current]::before {")[2].partition("}")[0]
    )
    hidden = mushaf.partition("[aria-current], :focus-visible)::before {")[2].partition("}")[0]
    assert "background: var(--control)" in hidden


async def test_samples_are_served_where_there_are_any() -> None:
    async with edge(demo_samples=str(samples_folder())) as running:
        listed = await running.http.get("/samples/samples.json")
        file = await running.http.get(f"/samples/{json.loads(listed.text)[0]['file']}")
        outside = await running.http.get("/samples/../__main__.py")
        info = (await running.http.get("/page.json")).json()
    assert len(json.loads(listed.text)) == len(load_samples())
    assert file.status_code == 200
    assert outside.status_code == 404
    assert info["samples"]
    async with edge() as running:
        assert (await running.http.get("/samples/samples.json")).status_code == 404
        assert not (await running.http.get("/page.json")).json()["samples"]


async def test_a_reference_recitation_is_offered_where_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "112001.opus").write_bytes(b"OggS")
    (tmp_path / "notes.txt").write_text("from whom")
    async with edge(reference_recitation=str(tmp_path)) as running:
        info = (await running.http.get("/page.json")).json()
        verse = await running.http.get("/reference/112001.opus")
        missing = await running.http.get("/reference/112002.opus")
    assert info["reference"] == {"extension": "opus"}
    assert (verse.status_code, missing.status_code) == (200, 404)


def test_a_folder_without_a_single_verse_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="REFERENCE_RECITATION"):
        page_info(GatewaySettings(reference_recitation=str(tmp_path)))
    with pytest.raises(ValueError, match="REFERENCE_RECITATION"):
        page_info(GatewaySettings(reference_recitation=str(tmp_path / "absent")))
