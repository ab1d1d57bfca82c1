"""Converting a Hugging Face checkpoint: a tiny random one is made here, so nothing is downloaded."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from asr_worker.engines.ctranslate2 import CTranslate2Engine
from asr_worker.engines.engine import EngineItem, EngineOutput
from asr_worker.engines.model_parts import ComputeOptions
from cli.commands import app
from cli.modelling import conversion
from cli.modelling.conversion import CannotConvert, Conversion, convert

has_converter = pytest.mark.skipif(
    find_spec("transformers") is None or find_spec("torch") is None, reason="needs the extra convert"
)
SPECIALS = (
    *("<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|ar|>", "<|translate|>", "<|transcribe|>"),
    *("<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"),
)


@pytest.fixture
def without_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversion, "NEEDED", ("no_such_package",))


@pytest.fixture
def with_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversion, "NEEDED", ())


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Whisper of one layer with random weights, as `save_pretrained` writes it."""
    monkeypatch.setitem(os.environ, "HF_HUB_OFFLINE", "1")
    import torch
    from transformers import (
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperTokenizerFast,
    )

    torch.manual_seed(1)
    place = tmp_path / "checkpoint"
    letters = {chr(ord("a") + at): at for at in range(26)}
    vocabulary = letters | {"Ġ": 26}
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (tmp_path / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    tokenizer = WhisperTokenizerFast(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"))
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIALS)})
    tokenizer.save_pretrained(str(place))
    WhisperFeatureExtractor().save_pretrained(str(place))
    config = WhisperConfig(
        vocab_size=len(tokenizer),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        pad_token_id=0,
        bos_token_id=0,
        eos_token_id=tokenizer.convert_tokens_to_ids("<|endoftext|>"),
        decoder_start_token_id=tokenizer.convert_tokens_to_ids("<|startoftranscript|>"),
    )
    model = WhisperForConditionalGeneration(config)
    model.generation_config.lang_to_id = {
        name: tokenizer.convert_tokens_to_ids(name) for name in ("<|en|>", "<|ar|>")
    }
    model.save_pretrained(str(place))
    return place


@has_converter
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_checkpoint_becomes_a_directory_that_the_engine_decodes_with(
    checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "converted"
    convert(Conversion(str(checkpoint), out, script="uthmani"))

    assert {file.name for file in out.iterdir()} >= {
        *("model.bin", "config.json", "tokenizer.json", "preprocessor_config.json", "model.json")
    }
    engine = CTranslate2Engine(out, ComputeOptions("cpu", "float32", 1))
    heard = engine.decode([EngineItem(np.zeros(16_000, np.float32))])[0]
    able = engine.capabilities
    engine.close()
    assert isinstance(heard, EngineOutput)
    assert (able.model, able.script, able.max_window_s) == ("checkpoint", "uthmani", 30.0)


def test_without_its_packages_it_says_what_to_install(without_packages: None, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["model", "convert", "openai/whisper-tiny", str(tmp_path / "out")])

    assert result.exit_code == 2
    assert "'.[convert]'" in result.stderr


def test_it_replaces_nothing_unasked(with_packages: None, tmp_path: Path) -> None:
    with pytest.raises(CannotConvert, match="--force"):
        convert(Conversion("anything", tmp_path))


def test_a_folder_without_a_checkpoint_is_refused(with_packages: None, tmp_path: Path) -> None:
    with pytest.raises(CannotConvert, match=r"no config\.json"):
        convert(Conversion(str(tmp_path), tmp_path / "out"))


@pytest.mark.parametrize(("quantization", "script"), [("int4", "imlai"), ("int8", "latin")])
def test_unknown_options_are_named(
    with_packages: None, tmp_path: Path, quantization: str, script: str
) -> None:
    with pytest.raises(CannotConvert, match="choose of"):
        convert(Conversion("anything", tmp_path / "out", quantization, script))
