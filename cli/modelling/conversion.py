"""A Hugging Face Whisper checkpoint as a CTranslate2 directory that `ASR_MODEL` can name."""

from __future__ import annotations

import importlib.util
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr_worker.engines.ctranslate2 import CTranslate2Engine
from asr_worker.engines.model_files import ModelNotUsable
from asr_worker.engines.model_parts import ComputeOptions
from shared.errors import RattilError
from shared.extras import how_to_install

NEEDED = ("torch", "transformers")
SCRIPTS = ("imlai", "uthmani")
QUANTIZATIONS = ("int8", "int8_float16", "int8_float32", "int16", "float16", "bfloat16", "float32")
TOKENIZER_FILE, FEATURES_FILE, CARD_FILE = "tokenizer.json", "preprocessor_config.json", "model.json"


class CannotConvert(RattilError):
    """The checkpoint is no Whisper, cannot be fetched, or the converter's packages are not installed."""

    code = "cannot_convert"


@dataclass(frozen=True, slots=True)
class Conversion:
    """What to convert. `source`: a Hugging Face id or directory. `script`: how it spells."""

    source: str
    out: Path
    quantization: str = "int8"
    script: str = "imlai"
    force: bool = False


def convert(wanted: Conversion) -> None:
    """Convert, write tokenizer, front end and card beside the weights, and load the result once.

    Raises `CannotConvert` with what to do; nothing is left in `out` then.
    """
    _check(wanted)
    fresh = wanted.out.with_name(wanted.out.name + ".converting")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        _weights(wanted, fresh)
        _front_end(wanted.source, fresh)
        _card(wanted, fresh)
        CTranslate2Engine(fresh, ComputeOptions("cpu", "default")).close()
    except ModelNotUsable as error:
        raise CannotConvert(f"The converted model cannot be used: {error.message}") from error
    except (OSError, ValueError, KeyError, RuntimeError, AttributeError) as error:
        # What transformers and the converter raise for a name, a file or a layout they cannot use.
        raise CannotConvert(f"{wanted.source} cannot be converted: {error}") from error
    else:
        shutil.rmtree(wanted.out, ignore_errors=True)
        fresh.rename(wanted.out)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def missing_packages() -> list[str]:
    """What the converter needs and this installation lacks."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def _check(wanted: Conversion) -> None:
    missing = missing_packages()
    if missing:
        raise CannotConvert(
            f"Converting needs {' and '.join(missing)}: {how_to_install('convert')}. "
            "The converted model needs neither."
        )
    if wanted.quantization not in QUANTIZATIONS:
        raise CannotConvert(f"Unknown --quantization; choose of {', '.join(QUANTIZATIONS)}.")
    if wanted.script not in SCRIPTS:
        raise CannotConvert(f"Unknown --script; choose of {', '.join(SCRIPTS)}.")
    if wanted.out.exists() and not wanted.force:
        raise CannotConvert(f"{wanted.out} is there already; choose another place or add --force.")
    local = Path(wanted.source).expanduser()
    if local.is_dir() and not (local / "config.json").is_file():
        raise CannotConvert(f"{local} has no config.json; it is not a Hugging Face checkpoint.")


def _weights(wanted: Conversion, fresh: Path) -> None:
    from ctranslate2.converters import TransformersConverter
    from transformers import AutoConfig

    kind = AutoConfig.from_pretrained(wanted.source).model_type
    if kind != "whisper":
        raise CannotConvert(
            f"{wanted.source} is a {kind!r} model; only Whisper checkpoints can be converted."
        )
    converter: Any = TransformersConverter(wanted.source, load_as_float16="float16" in wanted.quantization)
    converter.convert(str(fresh), quantization=wanted.quantization)


def _front_end(source: str, fresh: Path) -> None:
    """Tokenizer and feature settings; made by transformers, as not every checkpoint has the files."""
    from transformers import WhisperFeatureExtractor, WhisperTokenizerFast

    tokenizer: Any = WhisperTokenizerFast.from_pretrained(source)
    tokenizer.backend_tokenizer.save(str(fresh / TOKENIZER_FILE))
    features: Any = WhisperFeatureExtractor.from_pretrained(source)
    features.save_pretrained(str(fresh))


def _card(wanted: Conversion, fresh: Path) -> None:
    """A stock card: Whisper's own prompt and 30 s context; only the script is this checkpoint's own."""
    card = {
        "name": Path(wanted.source).name,
        "version": "",
        "source": wanted.source,
        "script": wanted.script,
        "stock": True,
    }
    (fresh / CARD_FILE).write_text(json.dumps(card, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
