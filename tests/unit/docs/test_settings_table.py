"""docs/configuration.md is what the settings say, and every documented address of them exists."""

from __future__ import annotations

from cli.settings_table import PAGE, SERVICES, configuration_page
from shared.service.settings_help import setting_rows


def test_the_page_is_what_the_settings_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == configuration_page(), "run `make settings`"


def test_every_setting_has_a_description() -> None:
    undescribed = [
        row.env for _, _, settings in SERVICES for row in setting_rows(settings) if not row.description
    ]
    assert undescribed == []


def test_no_service_names_two_settings_alike() -> None:
    for title, _, settings in SERVICES:
        names = [row.env for row in setting_rows(settings)]
        assert len(names) == len(set(names)), title
