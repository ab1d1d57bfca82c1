"""docs/protocol.md names every close code, error code, event field and query parameter there is."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

import gateway.app
from gateway.dialects.recite import messages
from rattil.client.recitation import parse_event
from shared.errors import RattilError
from shared.protocol import close_codes
from shared.recitation.report.report import VerifyReport, WordAnalysis

ROOT = Path(__file__).parent.parent.parent.parent
PAGE = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
CLIENT_PAGES = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "clients").glob("*.md"))
NAMED = set(re.findall(r"[a-z][a-z_]*", PAGE))
WRITES_A_CODE = re.compile(r'(?:FinishFailed|_say_busy|EndConnection)\(\s*(?:[A-Z_]+,\s*)?"(\w+)"')
ONLY_AT_START = {"cannot_listen", "startup_failed", "too_few_descriptors", "unsuitable_redis"}
BETWEEN_SERVICES = {
    "not_found",
    "conflict",
    "lease_held",
    "bad_content_type",
    "waiting_room_full",
    "too_many_requests",
}
"""What routers answer to gateways; clients hear of it under other codes."""


def all_close_codes() -> dict[str, close_codes.Close]:
    return {name: value for name, value in vars(close_codes).items() if isinstance(value, close_codes.Close)}


@pytest.mark.parametrize("close", all_close_codes().values(), ids=all_close_codes().keys())
def test_every_close_code_is_explained(close: close_codes.Close) -> None:
    assert re.search(rf"^\| {close.code} \|", PAGE, re.MULTILINE)


def test_page_client_and_docs_reconnect_after_the_same_codes() -> None:
    sentence = re.search(r"mean \*reconnect and resume\*, as do ([^;]+);", PAGE)
    assert sentence is not None
    script = (ROOT / "gateway" / "static" / "client" / "reconnecting.js").read_text(encoding="utf-8")
    in_script = re.search(r"\[([\d, ]+)\]\.includes\(code\)", script)
    assert in_script is not None
    for text in (sentence[1], in_script[1]):
        assert {int(code) for code in re.findall(r"\b\d{4}\b", text)} == close_codes.RECONNECT


def test_no_close_code_is_invented() -> None:
    documented = {int(code) for code in re.findall(r"^\| (\d{4}) \|", PAGE, re.MULTILINE)}
    assert documented == {close.code for close in all_close_codes().values()}


def error_codes() -> set[str]:
    """Codes of the shared tree, and those the gateway and the worker write themselves."""
    ours = {kind for kind in _tree(RattilError) if kind.__module__.split(".")[0] in ("shared", "gateway")}
    codes = {kind.code for kind in ours}
    for source in Path(str(gateway.__file__)).parent.rglob("*.py"):
        text = source.read_text(encoding="utf-8")
        codes |= set(
            re.findall(r'(?:FinishFailed|_say_busy|EndConnection)\(\s*(?:[A-Z_]+,\s*)?"(\w+)"', text)
        )
    return codes - ONLY_AT_START - BETWEEN_SERVICES


def _tree(kind: type[RattilError]) -> set[type[RattilError]]:
    return {kind}.union(*(_tree(child) for child in kind.__subclasses__()))


def test_every_error_code_is_explained() -> None:
    table = set(re.findall(r"^\| `(\w+)` \|", PAGE + CLIENT_PAGES, re.MULTILINE)) | {"too_large"}
    missing = {code for code in error_codes() if code not in table}
    assert missing == set()


EVENTS = (
    messages.ReadyEvent,
    messages.AckEvent,
    messages.PartialResultEvent,
    messages.FinalResultEvent,
    messages.FinalResultErrorEvent,
    messages.ErrorEvent,
    messages.PongEvent,
    messages.GapInfo,
    messages.WordEntry,
    messages.LatencyInfo,
    VerifyReport,
    WordAnalysis,
)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_every_field_of_every_event_is_named(event: type[msgspec.Struct]) -> None:
    tag = event.__struct_config__.tag
    fields = set(event.__struct_fields__) | ({str(tag)} if tag else set())
    assert fields <= NAMED


def test_every_query_parameter_is_named() -> None:
    source = (ROOT / "gateway" / "dialects" / "recite" / "dialect.py").read_text(encoding="utf-8")
    read = set(re.findall(r'query(?:\.get\(|, )"(\w+)"', source))
    assert {"surah", "last_seq", "window"} <= read
    assert read <= NAMED


def test_the_examples_are_what_the_reference_client_reads() -> None:
    blocks = [block for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
    assert len(blocks) == 2
    for block in blocks:
        assert parse_event(block) is not None


def test_the_python_example_compiles() -> None:
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        compile(block, "docs/protocol.md", "exec")
