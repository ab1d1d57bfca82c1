"""clients/js: its own tests pass, its types hold, it says the same as the server and the Python client."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from gateway.dialects.recite import messages as recite
from gateway.dialects.transcriptions import messages as transcriptions
from rattil.client.recitation import RecitationDialect
from rattil.client.resume import ReconnectPolicy
from rattil.client.session import EVENTS_AHEAD, KEPT_S, READY_WITHIN_S, RETRYABLE_HTTP
from rattil.client.transcription import TranscriptionDialect
from shared.protocol.close_codes import Close
from tests import node

ROOT = Path(__file__).parents[3]
CLIENT = ROOT / "clients" / "js"
PAGE = (ROOT / "docs" / "clients" / "javascript.md").read_text(encoding="utf-8")
README = (CLIENT / "README.md").read_text(encoding="utf-8")
PACKAGE = json.loads((CLIENT / "package.json").read_text(encoding="utf-8"))
TYPES = (CLIENT / "index.d.ts").read_text(encoding="utf-8")

pytestmark = pytest.mark.timeout(300)


async def test_its_own_tests_pass() -> None:
    printed = await node.node("--test", "--test-reporter=tap")
    assert re.search(r"^# pass [1-9]\d*$", printed, re.MULTILINE), printed
    assert "# fail 0" in printed
    assert "# skipped 0" in printed


async def test_programs_in_typescript_are_checked() -> None:
    await node.node(str(node.PACKAGES / "node_modules" / "typescript" / "bin" / "tsc"), "-p", ".")


async def test_it_says_the_same_as_the_python_client(tmp_path: Path) -> None:
    """One set of rules: when to come back, how soon, how much is kept, what is asked."""
    code = f"""
      import {{ meansLater, meansReconnect, DEFAULT_POLICY }} from '{CLIENT}/resume.js';
      import {{ recitationDialect, transcriptionDialect }} from '{CLIENT}/dialects.js';
      import * as session from '{CLIENT}/session.js';
      import * as connection from '{CLIENT}/connection.js';
      const numbers = (most, means) => Array.from({{ length: most }}, (_, code) => code).filter(means);
      const wire = ({{ path, end, query, kinds }}) => ({{ path, end, query, kinds: [...kinds] }});
      console.log(JSON.stringify({{
        reconnect: numbers(5000, meansReconnect), later: numbers(600, meansLater), policy: DEFAULT_POLICY,
        recite: wire(recitationDialect({{ surah: 2, ayah: 3, to: 4 }})),
        transcribe: wire(transcriptionDialect()),
        kept: session.KEPT_S, ahead: session.EVENTS_AHEAD, ready: connection.READY_WITHIN_MS,
      }}));
    """
    said = json.loads(await node.script(code, tmp_path))
    policy = ReconnectPolicy()
    assert said["reconnect"] == [code for code in range(5000) if Close(code, "").reconnect]
    assert said["later"] == sorted(RETRYABLE_HTTP)
    assert said["policy"] == {
        "baseMs": 1000 * policy.base_s,
        "capMs": 1000 * policy.cap_s,
        "giveUpAfter": policy.give_up_after,
        "giveUpUnreached": policy.give_up_unreached,
    }
    assert (said["kept"], said["ahead"], said["ready"]) == (KEPT_S, EVENTS_AHEAD, 1000 * READY_WITHIN_S)
    for wire, dialect, events in (
        (said["recite"], RecitationDialect(2, 3, 4), recite.ServerEvent),
        (said["transcribe"], TranscriptionDialect("en"), transcriptions.ServerMessage),
    ):
        assert (wire["path"], wire["end"], wire["query"]) == (dialect.path, dialect.end, dialect.query())
        assert set(wire["kinds"]) == {tag(event) for event in get_args(events)} - {"pong"}


def tag(event: type[msgspec.Struct]) -> str:
    return str(event.__struct_config__.tag)


def interface(name: str) -> dict[str, bool]:
    """The fields of an interface of the types, and whether each may be absent."""
    (body,) = re.findall(rf"^export interface {name} \{{\n(.*?)^\}}", TYPES, re.MULTILINE | re.DOTALL)
    return {field: bool(mark) for field, mark in re.findall(r"^  (\w+)(\??):", body, re.MULTILINE)}


def sent(event: Any) -> dict[str, bool]:
    """The fields that the server sends, and whether each may be absent."""
    fields = msgspec.structs.fields(event)
    return {field.name: field.default is msgspec.UNSET for field in fields}


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("Ready", recite.ReadyEvent),
        ("WordState", recite.WordEntry),
        ("PartialResult", recite.PartialResultEvent),
        ("FinalResult", recite.FinalResultEvent),
        ("FinalResultError", recite.FinalResultErrorEvent),
        ("Notice", recite.NoticeEvent),
        ("SessionBegin", transcriptions.SessionBegin),
        ("SpeechStart", transcriptions.SpeechStart),
        ("SpeechEnd", transcriptions.SpeechEnd),
        ("TranscriptPartial", transcriptions.TranscriptPartial),
        ("TranscriptWord", transcriptions.TranscriptWord),
        ("TranscriptFinal", transcriptions.TranscriptFinal),
        ("Warned", transcriptions.Warning),
        ("TranscriptionError", transcriptions.Error),
        ("SessionEnd", transcriptions.SessionEnd),
        ("RecitationError", recite.ErrorEvent),
        ("Gap", transcriptions.GapInfo),
    ],
)
def test_the_types_have_the_fields_that_the_server_sends(name: str, event: type[msgspec.Struct]) -> None:
    kind = {} if event.__struct_config__.tag is None else {"type": False}
    assert interface(name) == kind | sent(event)


def test_the_package_is_complete() -> None:
    (packed,) = json.loads(node.npm("pack", "--dry-run", "--json", cwd=CLIENT))
    modules = {path.name for path in CLIENT.glob("*.js")}
    others = {"package.json", "README.md", "index.d.ts", "LICENSE", "NOTICE"}
    assert {file["path"] for file in packed["files"]} == modules | others
    assert not any(kind.lower().endswith("dependencies") for kind in PACKAGE)
    assert (CLIENT / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (PACKAGE["version"], PACKAGE["license"]) == (project["version"], project["license"])


def test_the_lock_names_no_registry() -> None:
    lock = (node.PACKAGES / "package-lock.json").read_text(encoding="utf-8")
    assert re.findall(r'"resolved": "(?!\.\./)[^"]*"', lock) == []


def test_every_name_is_documented() -> None:
    index = (CLIENT / "index.js").read_text(encoding="utf-8")
    exported = {name.strip() for names in re.findall(r"export \{(.*?)\}", index) for name in names.split(",")}
    assert {name for name in exported if f"`{name}" not in PAGE and f" {name}(" not in PAGE} == {"Session"}
    declared = set(re.findall(r"^export (?:class|function) (\w+)", TYPES, re.MULTILINE))
    assert declared == exported


def test_the_readme_shows_examples_that_are_tested() -> None:
    blocks = re.findall(r"```\w+\n.*?```", README, re.DOTALL)
    assert len(blocks) == 3
    assert all(block in PAGE for block in blocks)
