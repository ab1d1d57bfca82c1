"""The log says at the start who may enter: loudly, if everybody may."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.__main__ import say_who_may_enter
from tests.unit.gateway.harness import World


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"host": "0.0.0.0", "allow_anonymous": True}, ("warning", "open_to_everybody")),
        ({"host": "127.0.0.1"}, ("info", "open_to_this_machine")),
        ({"host": "0.0.0.0", "api_keys": "acme=0123456789abcdef"}, ("info", "api_keys_needed")),
    ],
)
async def test_who_may_enter_is_one_line(settings: dict[str, Any], said: tuple[str, str]) -> None:
    ports = World().gateway(**settings).ports
    with capture_logs() as lines:
        say_who_may_enter(ports)
    assert [(line["log_level"], line["event"]) for line in lines] == [said]
    assert "0123456789abcdef" not in str(lines)
