from __future__ import annotations

from typing import Literal

import pytest
from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.service.settings_help import SettingRow, help_text, load_settings, markdown_table, setting_rows


class Example(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="EXAMPLE_")

    port: int = Field(8100, ge=0, le=65535, description="Where to\n listen.")
    policy: Literal["reject", "queue"] = Field("reject", description="What to do | when full.")
    redis_url: str = Field(
        "redis://localhost",
        validation_alias=AliasChoices("CONTROL_REDIS_URL", "REDIS_URL"),
        description="Where.",
    )
    names: tuple[str, ...] = Field(("a", "b"), description="Names.")
    key: SecretStr = Field(SecretStr("hidden"), description="Key.")
    verbose: bool = Field(False, description="Talk.")
    limit: float | None = Field(None, gt=0, description="Limit.")


def test_rows_name_variables_defaults_and_bounds() -> None:
    assert setting_rows(Example) == [
        SettingRow("EXAMPLE_PORT", "8100", "Where to listen.", "≥ 0, ≤ 65535"),
        SettingRow("EXAMPLE_POLICY", "reject", "What to do | when full.", "reject, queue"),
        SettingRow("CONTROL_REDIS_URL", "redis://localhost", "Where.", ""),
        SettingRow("EXAMPLE_NAMES", "a,b", "Names.", ""),
        SettingRow("EXAMPLE_KEY", "**********", "Key.", ""),
        SettingRow("EXAMPLE_VERBOSE", "false", "Talk.", "true, false"),
        SettingRow("EXAMPLE_LIMIT", "", "Limit.", "> 0"),
    ]


def test_help_and_markdown_show_every_variable() -> None:
    text = help_text(Example, "example", "An example.")
    table = markdown_table(Example)
    for row in setting_rows(Example):
        assert row.env in text
        assert f"`{row.env}`" in table
    assert "[≥ 0, ≤ 65535, default 8100]" in text
    assert "[> 0, default empty]" in text
    assert "What to do \\| when full." in table


def test_help_leaves_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        load_settings(Example, ["--help"], "example", "An example.")
    assert exit_.value.code == 0
    assert "EXAMPLE_PORT" in capsys.readouterr().out


def test_a_bad_value_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EXAMPLE_PORT", "70000")
    with pytest.raises(SystemExit) as exit_:
        load_settings(Example, [], "example", "An example.")
    assert exit_.value.code == 2
    message = capsys.readouterr().err
    assert message.startswith("example: EXAMPLE_PORT: ")
    assert "65535" in message
    assert "'70000'" in message


def test_an_unknown_argument_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        load_settings(Example, ["--prot=1"], "example", "An example.")
    assert exit_.value.code == 2
    assert "--prot=1" in capsys.readouterr().err


def test_good_settings_are_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXAMPLE_PORT", "1")
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere")
    settings = load_settings(Example, [], "example", "An example.")
    assert (settings.port, settings.redis_url) == (1, "redis://elsewhere")
