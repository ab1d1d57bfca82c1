"""The AsyncAPI document: valid, complete, and true of what clients have received."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
from starlette.routing import WebSocketRoute

import gateway.dialects
from cli.api_documents import PAGES, text_of
from gateway.description.asyncapi import DIALECTS, asyncapi
from gateway.description.dialect import DialectDescription, name_of
from gateway.dialects.deepgram import parameters as deepgram_parameters
from gateway.dialects.recite import dialect as recite
from gateway.dialects.recite.commands import parse_command
from gateway.dialects.transcriptions import dialect as transcriptions
from gateway.dialects.transcriptions import messages
from gateway.dialects.transcriptions import request as transcriptions_request
from gateway.dialects.verify import dialect as verify
from gateway.settings import GatewaySettings
from gateway.transport.websocket import CLOSES
from shared.protocol import close_codes
from tests.e2e.golden_streams import FOLDER, load
from tests.integration.edge import edge

SCHEMA = Path(__file__).parents[3] / "schemas" / "asyncapi-3.0.0.json"
DOCUMENT = asyncapi()
DIALECT_FOLDER = Path(gateway.dialects.__path__[0])
BY_NAME = {dialect.name: dialect for dialect in DIALECTS}


def closed(schema: Any) -> Any:
    """The schema, but objects may have no field that it does not name."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    stricter = {name: closed(part) for name, part in schema.items()}
    return stricter | ({"additionalProperties": False} if "properties" in schema else {})


def checker(dialect: str) -> jsonschema.Draft202012Validator:
    """Accepts what the dialect says to its clients and nothing else."""
    said = [name_of(message) for message in BY_NAME[dialect].says]
    payloads = [DOCUMENT["components"]["messages"][f"{dialect}.{name}"]["payload"] for name in said]
    schemas = {name: closed(schema) for name, schema in DOCUMENT["components"]["schemas"].items()}
    return jsonschema.Draft202012Validator({"oneOf": payloads, "components": {"schemas": schemas}})


def events(stream: Any) -> Iterator[dict[str, Any]]:
    """All events of a golden stream, or of each stream in a file of several."""
    if "events" in stream:
        yield from map(with_values, stream["events"])
        return
    for part in stream.values():
        yield from events(part)


def with_values(value: Any, name: str = "") -> Any:
    """Golden streams have an asterisk for what differs from run to run: a number where it is a time."""
    if isinstance(value, dict):
        return {name: with_values(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [with_values(item) for item in value]
    if value != "*":
        return value
    return {"decode": 1} if name == "timing_ms" else 1 if name.endswith("_ms") else value


def test_the_document_is_asyncapi() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    found = list(jsonschema.Draft7Validator(schema).iter_errors(DOCUMENT))
    assert [error.message[:300] for error in found] == []


def test_the_checker_of_documents_refuses_what_is_none() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    wrong = DOCUMENT | {"operations": {"x": {"action": "shout"}}}
    assert not jsonschema.Draft7Validator(schema).is_valid(wrong)


def test_every_reference_leads_somewhere() -> None:
    for pointer in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(DOCUMENT)):
        at: Any = DOCUMENT
        for step in pointer.split("/"):
            at = at[step.replace("~1", "/").replace("~0", "~")]


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.json")))
def test_every_event_of_the_golden_streams_is_described(name: str) -> None:
    dialect = "verify" if name == "verify_socket" else "recite"
    check, seen = checker(dialect), 0
    for event in events(load(name)):
        problems = [error.message[:300] for error in check.iter_errors(event)]
        assert problems == [], event["type"]
        seen += 1
    assert seen > 0


def test_an_event_with_an_unknown_field_status_or_code_is_seen() -> None:
    check = checker("recite")
    event = {"type": "error", "code": "bad_message", "message": "m", "fallback": "f"}
    assert check.is_valid(event)
    assert not check.is_valid(event | {"code": "made_up"})
    assert not check.is_valid(event | {"more": 1})
    word = next(event for event in events(load("clean_short")) if event["type"] == "partial_result")
    word["word_feedback"][0] |= {"status": "fine"}
    assert not check.is_valid(word)


def test_what_the_transcription_dialect_writes_is_described() -> None:
    check = checker("transcriptions")
    gap = messages.GapInfo(0, 16_000)
    written: list[messages.ServerMessage] = [
        messages.SessionBegin("session-1", "en", "default", 16_000, True, 3, 48_000, gap),
        messages.Ack(16_000),
        messages.SpeechStart(0.5),
        messages.SpeechEnd(1.5),
        messages.TranscriptPartial(0, 1, "so far", "so", 0.5, 1.5),
        messages.TranscriptFinal(1, 1, "so far", 0.5, 1.5, (messages.TranscriptWord("so", 0.5, None, 0.9),)),
        messages.Warning("server_busy", "wait"),
        messages.Warning("too_quiet", "speak up"),
        messages.Warning("quality_lowered", "the service is under load"),
        messages.Error("no_capacity", "later", retry_after_s=2.0),
        messages.SessionEnd("so far"),
        messages.Pong(),
    ]
    assert {type(one) for one in written} == set(messages.ServerMessage.__args__)
    for one in written:
        check.validate(json.loads(messages.encode(one)))


async def test_every_socket_of_the_gateway_is_a_channel() -> None:
    async with edge() as running:
        found = {route.path for route in routes_of(running.app) if isinstance(route, WebSocketRoute)}
    addresses = {dialect.address for dialect in DIALECTS if "gateway" in dialect.servers}
    assert found - {"/{path:path}"} == addresses


def test_every_port_is_a_server_with_its_default() -> None:
    served = {name for dialect in DIALECTS for name in dialect.servers}
    assert served == set(DOCUMENT["servers"])
    for server, port in (("stream", "stream_port"), ("stream_websocket", "stream_ws_port")):
        default = GatewaySettings.model_fields[port].default
        assert DOCUMENT["servers"][server]["variables"]["host"]["default"] == f"127.0.0.1:{default}"


def routes_of(app: Any) -> Any:
    """The routes under the wrappers of the application."""
    while not hasattr(app, "routes"):
        app = app._app
    return app.routes


def test_every_dialect_has_its_description() -> None:
    named = re.compile(r'^class \w+Dialect:.*?^    name = "([\w-]+)"', re.MULTILINE | re.DOTALL)
    sources = [path.read_text(encoding="utf-8") for path in DIALECT_FOLDER.rglob("*.py")]
    assert set(BY_NAME) == {name for source in sources for name in named.findall(source)}
    for path in DIALECT_FOLDER.rglob("dialect.py"):
        assert path.with_name("description.py").exists(), path.parent


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_names_of_messages_are_unique(dialect: DialectDescription) -> None:
    names = [name_of(message) for message in (*dialect.takes, *dialect.says)]
    assert len(set(names)) == len(names)


def test_the_parameters_are_those_that_the_dialects_read() -> None:
    elsewhere = {"session_id", "sample_rate", "enhance_on_end"}
    for module in (recite, transcriptions_request):
        assert "read_enhance(query, " in inspect.getsource(module)
    assert read_by(recite) | elsewhere == described("recite")
    assert "read_diarize(query, " in inspect.getsource(transcriptions_request)
    assert read_by(transcriptions_request) | elsewhere | {"diarize"} == described("transcriptions")
    assert "read_model(ports, query)" in inspect.getsource(verify)
    assert {*verify._QUERY, "model"} == described("verify")
    assert read_by(deepgram_parameters) <= described("deepgram") | deepgram_parameters.SERVED_FOR_RECORDINGS


def read_by(module: ModuleType) -> set[str]:
    """The parameters that the source of a dialect reads from its query."""
    found = re.findall(r'\(query, "(\w+)"|query\.get\("(\w+)"', inspect.getsource(module))
    return {one for pair in found for one in pair if one}


def described(dialect: str) -> set[str]:
    return {parameter.name for parameter in BY_NAME[dialect].parameters}


def test_every_command_that_is_described_is_understood() -> None:
    for name, message in message_payloads("recite"):
        if name == "word":
            assert [parse_command(word) for word in message["enum"]]
        elif name == "command":
            enum = message["properties"]["type"]["enum"]
            assert [parse_command(json.dumps({"type": word})) for word in enum]
    assert parse_command('{"type":"peek","word_index":0}') is not None
    spoken = transcriptions.TranscriptionsDialect()
    for name, message in message_payloads("transcriptions"):
        if name == "word":
            assert all(spoken.read(word) for word in message["enum"])


def message_payloads(dialect: str) -> list[tuple[str, Any]]:
    messages = DOCUMENT["components"]["messages"]
    return [
        (name_of(one), messages[f"{dialect}.{name_of(one)}"]["payload"]) for one in BY_NAME[dialect].takes
    ]


def test_every_close_code_is_listed() -> None:
    codes = {value.code for value in vars(close_codes).values() if isinstance(value, close_codes.Close)}
    for name in ("recite", "verify", "transcriptions", "committed_messages"):
        assert BY_NAME[name].closes is CLOSES
        assert {close["code"] for close in DOCUMENT["channels"][name]["x-close-codes"]} == codes


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_committed_documents_are_what_the_code_says(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == text_of(PAGES[page]()), "run `make settings`"
