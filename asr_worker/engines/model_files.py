"""Where a model is and what it says about itself: paths, names, `model.json`, a clear refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from asr_worker.engines import packaged_whisper
from shared.audio.formats import SAMPLE_RATE
from shared.confidence import UNMEASURED, ConfidenceCurves, curves_fault
from shared.errors import RattilError

BUNDLED = "rattil-tiny"
"""The model that comes with the source, in `models/`, and is taken by default."""
ACCURATE = "rattil-base"
"""The larger one that hears phones and halls better, in `models/`, too."""

WHISPER_WINDOW_S = 30.0
"""The only context length that stock Whisper checkpoints were trained with."""
WHISPER_MAX_TOKENS = 224
"""Half of Whisper's 448 text positions: what one window may generate."""


class ModelNotUsable(RattilError):
    """There is no model under this path or name, or it is in a format the engine cannot load."""

    code = "model_not_usable"


class ContextPolicy(msgspec.Struct, frozen=True):
    """How much audio the encoder gets for a window.

    `auto`: the window rounded up to `bucket_seconds`, at least `min_seconds`; `seconds`: always
    `min_seconds`, longer windows rounded up like `auto`; `full`: always `max_seconds`.
    """

    policy: Literal["auto", "seconds", "full"] = "full"
    bucket_seconds: float = 0.5
    min_seconds: float = WHISPER_WINDOW_S
    max_seconds: float = WHISPER_WINDOW_S

    def padded_samples(self, samples: int) -> int:
        """The padded length in samples; depends on nothing but the length."""
        shortest_s = self.max_seconds if self.policy == "full" else self.min_seconds
        grain = round(self.bucket_seconds * SAMPLE_RATE)
        wanted = max(samples, round(shortest_s * SAMPLE_RATE))
        return -(-wanted // grain) * grain

    @property
    def max_samples(self) -> int:
        return round(self.max_seconds * SAMPLE_RATE)


STOCK_BUCKET_S = 5.0
"""Grain of a stock checkpoint's shorter contexts: windows of many sessions share a batch."""


def stock_context(seconds: float) -> ContextPolicy:
    """The policy of a stock checkpoint that gets at least so much audio instead of 30 s."""
    return ContextPolicy("auto", STOCK_BUCKET_S, seconds)


class CtcFile(msgspec.Struct, frozen=True):
    """The phoneme head beside the model; `frame_ms` is the time one encoder state stands for."""

    file: str = "ctc_head.npz"
    frame_ms: float = 40


class ModelCard(msgspec.Struct, frozen=True):
    """What `model.json` may say; the defaults describe a stock Whisper checkpoint.

    An empty `prompt` means Whisper's own. `max_new_tokens` is for a window of `max_seconds` and
    shrinks with the window. `confidence_curves`: `shared.confidence`.
    """

    name: str = "whisper"
    version: str = ""
    script: str = "imlai"
    languages: tuple[str, ...] = ()
    prompt: tuple[str, ...] = ()
    max_new_tokens: int = WHISPER_MAX_TOKENS
    context: ContextPolicy = ContextPolicy()
    ctc: CtcFile | None = None
    stock: bool = False
    confidence_curves: ConfidenceCurves = UNMEASURED


def read_card(directory: Path) -> ModelCard:
    """The model's card, or the stock one for a directory without `model.json`.

    Raises `ModelNotUsable` when the card cannot be understood.
    """
    path = directory / "model.json"
    if not path.is_file():
        return ModelCard(name=directory.name, stock=True)
    try:
        card = msgspec.json.decode(path.read_bytes(), type=ModelCard)
    except (OSError, msgspec.DecodeError) as error:
        raise ModelNotUsable(f"{path} is not a model card: {error}; see docs/models.md") from error
    fault = curves_fault(card.confidence_curves)
    if fault is not None:
        raise ModelNotUsable(f"{path}: confidence_curves cannot be used: {fault}; see docs/models.md")
    return card


def locate(model: str) -> Path:
    """The directory of a model given as a path, as a bundled model's name, as `whisper-base`, or as a
    Whisper name or Hugging Face id (downloaded by faster-whisper on first use).

    Raises `ModelNotUsable` with what to do.
    """
    if model in (BUNDLED, ACCURATE):
        return checked(bundled(model))
    path = Path(model).expanduser()
    if path.exists():
        return checked(path)
    if model == packaged_whisper.NAME:
        try:
            return checked(packaged_whisper.assembled())
        except packaged_whisper.NotPackaged as error:
            raise ModelNotUsable(str(error)) from error
    if path.is_absolute() or model.startswith((".", "~")):
        raise ModelNotUsable(f"there is no model directory {model}; check ASR_MODEL")
    return checked(_downloaded(model))


def bundled(name: str = BUNDLED) -> Path:
    """A bundled model's directory: beside the packages in a checkout, else below the working directory."""
    places = [Path(__file__).resolve().parents[2] / "models" / name, Path.cwd() / "models" / name]
    for place in places:
        if (place / "model.bin").is_file():
            return place
    raise ModelNotUsable(
        f"the bundled model {name} is not at {places[0]}; run from a checkout, "
        "or set ASR_MODEL to a model's path or name"
    )


def checked(directory: Path) -> Path:
    """The directory itself if it holds a CTranslate2 model; raises `ModelNotUsable` otherwise."""
    if (directory / "model.bin").is_file():
        return directory
    if any(directory.glob("*.safetensors")) or (directory / "pytorch_model.bin").is_file():
        raise ModelNotUsable(
            f"{directory} is a Hugging Face Transformers checkpoint; convert it first: "
            f"ct2-transformers-converter --model {directory} --output_dir DIR --copy_files tokenizer.json "
            "preprocessor_config.json --quantization int8"
        )
    raise ModelNotUsable(f"{directory} holds no CTranslate2 model (model.bin is missing); check ASR_MODEL")


def _downloaded(name: str) -> Path:
    from faster_whisper.utils import download_model

    try:
        return Path(download_model(name))
    except ValueError as error:
        raise ModelNotUsable(f"{name!r} is neither a directory nor a model name: {error}") from error
    except Exception as error:
        # huggingface_hub raises its own, requests' and httpx's errors, depending on its version.
        raise ModelNotUsable(
            f"model {name!r} could not be downloaded ({type(error).__name__}: {error}); "
            "check the name and the network, or set ASR_MODEL to a local directory"
        ) from error
