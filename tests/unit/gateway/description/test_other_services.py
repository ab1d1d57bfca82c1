"""The dialects of other services: what they write, take and close with is what the AsyncAPI document says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_args

import msgspec
import pytest

from gateway.connection.end_reason import EndReason
from gateway.dialects.committed_lines import websocket as committed
from gateway.dialects.deepgram import dialect as deepgram
from gateway.dialects.deepgram import messages as deepgram_messages
from gateway.dialects.deepgram import parameters as deepgram_parameters
from gateway.dialects.deepgram.description import RECORDING_PARAMETERS
from gateway.dialects.deepgram.refusals import CLOSES as DEEPGRAM_CLOSES
from gateway.dialects.deepgram.stream_facts import StreamFacts
from gateway.dialects.openai.plain.client_events import CREATE, SessionCreate, read_create
from gateway.dialects.openai.plain.client_events import read_event as read_plain_event
from gateway.dialects.openai.realtime import messages as realtime
from gateway.dialects.openai.realtime.client_events import read_event, read_head
from gateway.dialects.openai.realtime.socket import CLOSES as REALTIME_CLOSES
from gateway.dialects.whisperlive import messages as whisperlive
from gateway.dialects.whisperlive.dialect import CLOSES as WHISPERLIVE_CLOSES
from gateway.dialects.whisperlive.options import decode_options
from shared.protocol import close_codes
from tests.unit.gateway.description.test_asyncapi import DOCUMENT, checker, described, message_payloads

WORD = deepgram_messages.Word("so", 0.5, 0.9, 0.9, "So,")
MODEL = deepgram_messages.ModelInfo("default", "1", "whisper")
ITEM = realtime.Item("item_1")
DETAIL = realtime.ErrorDetail("invalid_request_error", "invalid_value", "m", "session", "e1")
WRITTEN: dict[str, tuple[Any, Any, list[msgspec.Struct]]] = {
    "committed_messages": (
        committed.encode,
        committed.ServerMessage,
        [
            committed.Ready(),
            committed.Final(0, 480, "so far"),
            committed.FlushDone(),
            committed.Error("bad_message", "m"),
        ],
    ),
    "deepgram": (
        deepgram_messages.encode,
        deepgram_messages.ServerMessage,
        [
            deepgram_messages.Results(
                (0, 1),
                1.5,
                0.5,
                True,
                True,
                deepgram_messages.Channel((deepgram_messages.Alternative("So,", 0.9, (WORD,)),)),
                deepgram_messages.ResultsMetadata("request-1", MODEL, "model-1"),
            ),
            deepgram_messages.SpeechStarted((0,), 0.5),
            deepgram_messages.UtteranceEnd((0, 1), 1.5),
            deepgram_messages.Metadata("deprecated", "request-1", "00", "2026-01-01T00:00:00.000Z", 2.0, 1),
            deepgram_messages.Error("no_capacity", "later"),
            deepgram_messages.Error(deepgram_messages.SCHEMA_ERROR, "what is this", "{}"),
        ],
    ),
    "openai-realtime": (
        realtime.encode,
        realtime.ServerEvent,
        [
            realtime.SessionCreated({"id": "sess_1"}),
            realtime.SessionUpdated({"id": "sess_1"}),
            realtime.BetaSessionCreated({"id": "sess_1"}),
            realtime.BetaSessionUpdated({"id": "sess_1"}),
            realtime.SpeechStarted(0, "item_1"),
            realtime.SpeechStopped(900, "item_1"),
            realtime.Committed("item_1", None),
            realtime.Cleared(),
            realtime.ItemAdded(None, ITEM),
            realtime.ItemDone("item_0", ITEM),
            realtime.ItemCreated(None, ITEM),
            realtime.Delta("item_1", "so"),
            realtime.Completed("item_1", "so far", realtime.Usage(1.5)),
            realtime.Failed("item_1", realtime.ErrorDetail("server_error", "asr_failed", "m")),
            realtime.Error(DETAIL),
            realtime.ResponseTextDelta("resp_1", "mic", "so"),
            realtime.ResponseDone(
                realtime.Response(
                    "resp_1", "incomplete", (realtime.OutputText("mic", "so"),), realtime.Usage(1.5), DETAIL
                ),
                "mine",
            ),
        ],
    ),
    "whisperlive": (
        whisperlive.encode,
        whisperlive.ServerMessage,
        [
            whisperlive.Told("1", "SERVER_READY", backend="faster_whisper"),
            whisperlive.Told("1", 0.5, status="WAIT"),
            whisperlive.Segments(
                "1",
                (
                    whisperlive.Segment("0.000", "1.500", "so far", True),
                    whisperlive.Segment(
                        "1.500", "2.000", "so", False, (whisperlive.Word("so", "1.500", "2.000", 0.9),)
                    ),
                ),
            ),
        ],
    ),
}
"""How each dialect writes, all that it may write, and one of each."""


@pytest.mark.parametrize("name", WRITTEN)
def test_what_a_dialect_writes_is_described(name: str) -> None:
    encode, kinds, written = WRITTEN[name]
    check = checker(name)
    assert {type(one) for one in written} == set(get_args(kinds))
    for one in written:
        check.validate(json.loads(encode(one)))
        assert not check.is_valid(json.loads(encode(one)) | {"more": 1})


def test_codes_of_other_services_stay_with_their_dialects() -> None:
    assert not checker("committed_messages").is_valid(
        {"type": "error", "code": "invalid_value", "message": "m"}
    )
    assert not checker("deepgram").is_valid({"type": "Error", "variant": "made_up", "description": "d"})
    wrong = realtime.Error(msgspec.structs.replace(DETAIL, code="made_up"))
    assert not checker("openai-realtime").is_valid(json.loads(realtime.encode(wrong)))


def test_the_parameters_of_deepgram_are_those_that_are_not_refused() -> None:
    without_effect = deepgram_parameters.WITHOUT_EFFECT - {"token"}
    assert described("deepgram") == deepgram_parameters.SERVED | without_effect
    recordings = {parameter.name for parameter in RECORDING_PARAMETERS}
    assert recordings == deepgram_parameters.SERVED_FOR_RECORDINGS | without_effect


def test_every_message_that_clients_of_other_services_send_is_understood() -> None:
    for name, message in message_payloads("deepgram"):
        if name not in ("audio", "end"):
            assert deepgram.DeepgramDialect(StreamFacts(0)).read(
                json.dumps({"type": message["properties"]["type"]["const"]})
            )
    assert {name for name, _ in message_payloads("deepgram")} - {"audio", "end"} == set(deepgram.COMMANDS)
    fields = {"session": {}, "audio": "AAA="}
    for name, message in message_payloads("openai-realtime"):
        needed = {field: fields[field] for field in message["required"] if field != "type"}
        data = json.dumps({"type": name} | needed).encode()
        if name == CREATE:
            assert read_create(data) == SessionCreate({})
        else:
            read = read_plain_event if name == "response.create" else read_event
            assert read(read_head(data), data) is not None
    for name, message in message_payloads("committed_messages"):
        if name == "word":
            spoken = committed.CommittedMessagesDialect()
            assert all(spoken.read(word) for word in message["enum"])
    assert decode_options('{"uid": "1", "language": "en"}', 1000).uid == "1"


@pytest.mark.parametrize(
    ("name", "closes"),
    [
        ("deepgram", DEEPGRAM_CLOSES),
        ("openai-realtime", REALTIME_CLOSES),
        ("whisperlive", WHISPERLIVE_CLOSES),
    ],
)
def test_dialects_of_other_services_close_with_codes_of_their_own(
    name: str, closes: Mapping[EndReason, close_codes.Close]
) -> None:
    listed = DOCUMENT["channels"][name]["x-close-codes"]
    assert set(closes) == set(EndReason)
    assert {(close["code"], close["reason"]) for close in listed} == {
        (close.code, close.reason) for close in (*closes.values(), close_codes.UNANSWERED)
    }
