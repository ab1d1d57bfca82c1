"""Makes the fonts of the page: `python -m tests.page_fonts FOLDER`, which holds the complete ones.

The complete fonts are those of the npm packages that docs/page.md names (`COMPLETE`). The text font is drawn
as the Madina print of the same reading is; the text that it shows keeps every code point of its source:

- U+0652 is a sukun in the source (the rounded zero of letters that are not said is U+06DF), so it has the
  shape of the print's sukun, the open head that the font draws for U+06E1.
- The source has one sign for each tanwin, the print three, by the sound that follows. The page says which one
  (`mushaf/tanwin.js`): feature `ss11` draws the successive one, `ss12` the one with a small meem.
- The small waw after a word's last letter stands on the line, its madda above it.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from fontTools import subset
from fontTools.otlLib import builder
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables import otTables

FOLDER: Final = Path(__file__).parent.parent / "gateway" / "static" / "fonts"
TEXT: Final = (
    *(0x20, 0xA0, 0x640, 0x670, 0x671, 0x8F0, 0x8F1, 0x8F2, 0x200F),
    *range(0x621, 0x63B),
    *range(0x641, 0x656),
    *range(0x660, 0x66A),
    *range(0x6D6, 0x6EE),
)
NAMES: Final = (0x20, *range(0x621, 0x63B), *range(0x641, 0x64B), 0x651)
PLAIN: Final = (
    *range(0x20, 0x7F),
    *(0xA0, 0xAB, 0xB7, 0xBB, 0xD7, 0x2013, 0x2014, 0x2018, 0x2019, 0x201C, 0x201D, 0x2026),
    *(0x101, 0x12B, 0x16B, 0x1E0D, 0x1E25, 0x1E63, 0x1E6D, 0x1E93),  # sounds in Latin letters
    *(0x60C, 0x61B, 0x61F, 0x66A, 0x66B, 0x66C, 0x670, 0x671, 0x200E, 0x200F),
    *range(0x621, 0x63B),
    *range(0x640, 0x653),
    *range(0x660, 0x66A),
)
COMPLETE: Final = {
    "AmiriQuran.woff2": "AmiriQuran_400Regular.ttf",
    "Amiri-Bold.woff2": "Amiri_700Bold.ttf",
    "ReadexPro.woff2": "ReadexPro_400Regular.ttf",
    "ReadexPro-SemiBold.woff2": "ReadexPro_600SemiBold.ttf",
}
NAME_FEATURES: Final = [
    *("ccmp", "fina", "init", "medi", "rlig", "liga", "calt", "locl", "mark", "mkmk", "curs", "kern"),
]
SUCCESSIVE: Final = {"uni064B": "uni08F0", "uni064C": "uni08F1", "uni064D": "uni08F2"}
WITH_MEEM: Final = {
    "uni064B": ("uni064E", "uni06E2"),
    "uni064C": ("uni064F", "uni06E2"),
    "uni064D": ("uni0650", "uni06ED"),
}


def text_font(source: Path) -> TTFont:
    """The font of the text, with the characters that the text has."""
    font = TTFont(source)
    _draw_sukun_open(font)
    _stand_small_waw_on_the_line(font)
    smaller = _substitutions(font, SUCCESSIVE)
    vowels = dict(WITH_MEEM)
    for tanwin, (vowel, meem) in WITH_MEEM.items():
        drawn = _substitutions(font, {tanwin: vowel})
        vowels |= {special: (of_vowel, meem) for special, of_vowel in drawn.items()}
    in_context = [copy.deepcopy(lookup) for lookup in _of_vowels_in_context(font)]
    _add_feature(font, "ss11", [_lookup(builder.buildSingleSubstSubtable(SUCCESSIVE | smaller))])
    _add_feature(font, "ss12", [_lookup(_multiple(vowels)), *in_context])
    return _reduced(font, TEXT, ["*"], hinting=False)


def name_font(source: Path) -> TTFont:
    """The font of the names of suras."""
    return _reduced(TTFont(source), NAMES, NAME_FEATURES, hinting=False)


def plain_font(source: Path) -> TTFont:
    """The font of everything that is no scripture."""
    return _reduced(TTFont(source), PLAIN, ["*"], hinting=False)


def _draw_sukun_open(font: TTFont) -> None:
    """The shape changes, and nothing else: where the sukun stands stays as the font has it."""
    glyphs, metrics = font["glyf"], font["hmtx"]
    shape = glyphs["uni06E1"]
    for name in {"uni0652", *_targets(font, "uni0652")}:
        old = glyphs[name]
        drawn = copy.deepcopy(shape)
        scale = (old.xMax - old.xMin) / (shape.xMax - shape.xMin)
        coordinates = drawn.coordinates
        coordinates.translate((-(shape.xMin + shape.xMax) / 2, -shape.yMin))
        coordinates.scale((scale, scale))
        coordinates.translate(((old.xMin + old.xMax) / 2, old.yMin))
        coordinates.toInt()
        drawn.recalcBounds(glyphs)
        glyphs[name] = drawn
        metrics[name] = (metrics[name][0], drawn.xMin)


def _stand_small_waw_on_the_line(font: TTFont) -> None:
    for lookup in _lookups(font):
        for table in lookup.SubTable:
            if lookup.LookupType == 1 and "uni06E5" in table.mapping:
                del table.mapping["uni06E5"]


def _lookups(font: TTFont) -> Sequence[otTables.Lookup]:
    found: Sequence[otTables.Lookup] = font["GSUB"].table.LookupList.Lookup
    return found


def _targets(font: TTFont, glyph: str) -> set[str]:
    """What the font itself puts in the place of a glyph."""
    return {
        table.mapping[glyph]
        for lookup in _lookups(font)
        if lookup.LookupType == 1
        for table in lookup.SubTable
        if glyph in table.mapping
    }


def _substitutions(font: TTFont, pairs: Mapping[str, str]) -> dict[str, str]:
    """The same pairs where the font has put a special drawing of both into a word."""
    found = {}
    for lookup in _lookups(font):
        if lookup.LookupType != 1:
            continue
        for table in lookup.SubTable:
            for one, other in pairs.items():
                if one in table.mapping and other in table.mapping:
                    found[table.mapping[one]] = table.mapping[other]
    return found


def _multiple(sequences: Mapping[str, tuple[str, ...]]) -> otTables.MultipleSubst:
    table = otTables.MultipleSubst()
    table.mapping = {name: list(sequence) for name, sequence in sequences.items()}
    return table


def _of_vowels_in_context(font: TTFont) -> list[otTables.Lookup]:
    """What the font does to a vowel beside a hamza: the vowels that a feature makes come too late for it."""
    lookups = _lookups(font)
    on_request = {
        index
        for record in font["GSUB"].table.FeatureList.FeatureRecord
        if record.FeatureTag.startswith("ss")
        for index in record.Feature.LookupListIndex
    }

    def changes_vowels(lookup: otTables.Lookup) -> bool:
        return lookup.LookupType == 1 and any("uni0650" in table.mapping for table in lookup.SubTable)

    return [
        lookup
        for index, lookup in enumerate(lookups)
        if lookup.LookupType == 6
        and index not in on_request
        and any(
            changes_vowels(lookups[record.LookupListIndex])
            for table in lookup.SubTable
            for record in getattr(table, "SubstLookupRecord", ())
        )
    ]


def _lookup(table: object) -> otTables.Lookup:
    made: otTables.Lookup = builder.buildLookup([table])
    return made


def _add_feature(font: TTFont, tag: str, lookups: Sequence[otTables.Lookup]) -> None:
    """A feature for every script; it comes after all that the font does itself."""
    gsub = font["GSUB"].table
    first = len(gsub.LookupList.Lookup)
    gsub.LookupList.Lookup.extend(lookups)
    gsub.LookupList.LookupCount += len(lookups)
    record = otTables.FeatureRecord()
    record.FeatureTag = tag
    record.Feature = otTables.Feature()
    record.Feature.FeatureParams = None
    record.Feature.LookupListIndex = list(range(first, first + len(lookups)))
    record.Feature.LookupCount = len(lookups)
    gsub.FeatureList.FeatureRecord.append(record)
    gsub.FeatureList.FeatureCount += 1
    index = len(gsub.FeatureList.FeatureRecord) - 1
    for script in gsub.ScriptList.ScriptRecord:
        systems = [script.Script.DefaultLangSys, *(lang.LangSys for lang in script.Script.LangSysRecord)]
        for system in filter(None, systems):
            system.FeatureIndex.append(index)
            system.FeatureCount += 1


def _reduced(font: TTFont, characters: Sequence[int], features: list[str], *, hinting: bool) -> TTFont:
    options = subset.Options()
    options.flavor = "woff2"
    options.hinting = hinting
    options.desubroutinize = True
    options.name_IDs = ["*"]
    options.layout_features = features
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=characters)
    subsetter.subset(font)
    font.flavor = "woff2"
    return font


def main() -> None:
    folder = Path(sys.argv[1])
    makers = (text_font, name_font, plain_font, plain_font)
    for make, (name, complete) in zip(makers, COMPLETE.items(), strict=True):
        make(folder / complete).save(FOLDER / name)


if __name__ == "__main__":
    main()
