"""docs/clients/openai.md: every parameter, format, model name and code is named, and the examples compile."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from gateway.dialects.openai import errors, models
from gateway.dialects.openai.realtime import client_events, messages, session_config, session_fields
from gateway.dialects.openai.transcription_form import FORMATS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "clients" / "openai.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"[a-z][a-z0-9_.-]*", PAGE))


def test_every_field_of_the_form_is_named() -> None:
    source = (ROOT / "gateway" / "dialects" / "openai" / "transcription_form.py").read_text(encoding="utf-8")
    read = set(
        re.findall(r'form\.(?:last|all)\("(\w+)"|_flag\(form, "(\w+)"|^    "(known_\w+)"', source, re.M)
    )
    names = {name for group in read for name in group if name}
    assert {"model", "stream", "language", "prompt", "known_speaker_names"} <= names
    assert names <= NAMED


def test_every_format_and_model_is_named() -> None:
    assert set(FORMATS) <= NAMED
    assert {*models.ALIASES, models.DEFAULT} <= NAMED


def test_every_code_of_the_dialect_is_explained() -> None:
    own = {kind.code for kind in (errors.BadParameter, errors.UnsupportedParameter, errors.ModelNotFound)}
    for code in own | {"invalid_api_key", "rate_limit_exceeded", "method_not_allowed"}:
        assert re.search(rf"^\| `{code}` \| \d+ \|", PAGE, re.MULTILINE), code


@pytest.mark.parametrize("message", messages.ServerEvent.__args__, ids=lambda one: one.__name__)
def test_every_event_is_named(message: type[msgspec.Struct]) -> None:
    tag = str(message.__struct_config__.tag)
    assert tag in NAMED or (tag.startswith("transcription_session.") and ".updated" in PAGE)


def test_every_field_of_a_session_is_named() -> None:
    for kind in (session_fields.Transcription, session_fields.TurnDetection, session_fields.Format):
        assert set(kind.__struct_fields__) <= NAMED
    assert {*session_config.BETA_FORMATS, *session_config.EAGERNESS_MS} <= NAMED
    assert all(f"`{name}`" in PAGE for name in session_config.GA_FORMATS)


def test_the_codes_of_the_live_dialect_are_explained() -> None:
    for kind in (client_events.BadEvent, client_events.NothingToCommit, client_events.UnknownModel):
        assert re.search(rf"^\| `{kind.code}` \|", PAGE, re.MULTILINE), kind.code


def test_the_examples_compile() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert blocks
    for block in blocks:
        compile(block, "docs/clients/openai.md", "exec")
