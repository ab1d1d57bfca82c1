"""The AsyncAPI 3 document of the dialects. A new dialect is one more entry of `DIALECTS`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from gateway.description.codes import code_schemas
from gateway.description.dialect import JSON, DialectDescription, Message, meaning_of, name_of
from gateway.description.schemas import Json, reference, schemas_of
from gateway.dialects.committed_lines import description as committed_lines
from gateway.dialects.deepgram import description as deepgram
from gateway.dialects.openai.realtime import description as realtime
from gateway.dialects.recite import description as recite
from gateway.dialects.stream import description as stream
from gateway.dialects.transcriptions import description as transcriptions
from gateway.dialects.verify import description as verify
from gateway.dialects.whisperlive import description as whisperlive
from shared.protocol.close_codes import UNANSWERED, Close

DIALECTS: tuple[DialectDescription, ...] = (
    recite.DESCRIPTION,
    verify.DESCRIPTION,
    stream.DESCRIPTION,
    transcriptions.DESCRIPTION,
    committed_lines.DESCRIPTION,
    committed_lines.MESSAGES_DESCRIPTION,
    deepgram.DESCRIPTION,
    realtime.DESCRIPTION,
    whisperlive.DESCRIPTION,
)

API_VERSION = "1.0"
"""Of the interface, not of the program: fields and kinds of messages may be added within a version."""

_ABOUT = (
    "Real-time speech recognition, made first for Quran recitation: audio goes in, judged words or "
    "transcripts come out. The application of this document is a gateway: what it receives comes from "
    "clients. Ignore messages and fields that you do not know. Automatic feedback can be wrong and does not "
    "replace a teacher."
)
_KEYED = "Needed only where the operator has set API_KEYS; any one of these ways will do."


def asyncapi(dialects: Sequence[DialectDescription] = DIALECTS) -> Json:
    """The document, the same on every machine."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Rattil: live recognition",
            "version": API_VERSION,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": JSON,
        "servers": {
            "gateway": _server("ws", "127.0.0.1:8000", "Any gateway; behind TLS the protocol is wss."),
            "stream": _server("tcp", "127.0.0.1:43007", "STREAM_PORT of a gateway, with STREAM_ENABLED."),
            "stream_websocket": _server(
                "ws", "127.0.0.1:43008", "STREAM_WS_PORT of a gateway, with STREAM_ENABLED; any path will do."
            ),
            "whisperlive": _server(
                "ws", "127.0.0.1:9090", "WHISPERLIVE_PORT of a gateway, if it is set; any path will do."
            ),
        },
        "channels": {dialect.name: _channel(dialect) for dialect in dialects},
        "operations": dict(pair for dialect in dialects for pair in _operations(dialect)),
        "components": {
            "messages": dict(pair for dialect in dialects for pair in _messages(dialect)),
            "schemas": code_schemas() | _schemas(dialects),
            "securitySchemes": _security(),
        },
    }


def _server(protocol: str, host: str, text: str) -> Json:
    variables = {"host": {"default": host, "description": "Where the service listens."}}
    return {"host": "{host}", "protocol": protocol, "description": text, "variables": variables}


def _all(dialect: DialectDescription) -> Sequence[type[msgspec.Struct] | Message]:
    return (*dialect.takes, *dialect.says)


def _schemas(dialects: Sequence[DialectDescription]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for dialect in dialects:
        kinds = [message for message in _all(dialect) if not isinstance(message, Message)]
        prefix = f"{dialect.name}."
        found |= schemas_of([*kinds, *dialect.parts], prefix)
        for message in dialect.says:
            if not isinstance(message, Message):
                _add_fields(found[f"{prefix}{message.__name__}"], dialect.envelope)
    return found


def _add_fields(schema: Json, fields: Mapping[str, Json]) -> None:
    schema["properties"] = dict(fields) | schema["properties"]
    schema["required"] = [*fields, *schema["required"]]


def _messages(dialect: DialectDescription) -> list[tuple[str, Json]]:
    return [(_key(dialect, message), _message(dialect, message)) for message in _all(dialect)]


def _key(dialect: DialectDescription, message: type[msgspec.Struct] | Message) -> str:
    return f"{dialect.name}.{name_of(message)}"


def _message(dialect: DialectDescription, message: type[msgspec.Struct] | Message) -> Json:
    described: Json = {"name": name_of(message), "summary": meaning_of(message)}
    if isinstance(message, Message):
        return described | {"contentType": message.content_type, "payload": message.payload}
    return described | {"contentType": JSON, "payload": reference(message, f"{dialect.name}.")}


def _channel(dialect: DialectDescription) -> Json:
    channel: Json = {
        "address": dialect.address or None,
        "title": dialect.title,
        "description": dialect.text,
        "servers": [{"$ref": f"#/servers/{server}"} for server in dialect.servers],
        "messages": {
            name_of(message): {"$ref": f"#/components/messages/{_key(dialect, message)}"}
            for message in _all(dialect)
        },
    }
    if dialect.address:
        channel["bindings"] = {"ws": _query(dialect)}
        channel["x-close-codes"] = _close_codes(dialect)
    return channel


def _query(dialect: DialectDescription) -> Json:
    properties = {
        parameter.name: parameter.schema | {"description": parameter.meaning}
        for parameter in dialect.parameters
    }
    required = [parameter.name for parameter in dialect.parameters if parameter.required]
    query: Json = {"type": "object", "properties": properties}
    return {"method": "GET", "query": query | ({"required": required} if required else {})}


def _close_codes(dialect: DialectDescription) -> list[Json]:
    closes: set[Close] = {UNANSWERED, *(dialect.closes or {}).values()}
    return [
        {"code": close.code, "reason": close.reason, "reconnect": close.reconnect} for close in sorted(closes)
    ]


def _operations(dialect: DialectDescription) -> list[tuple[str, Json]]:
    def operation(action: str, messages: Sequence[type[msgspec.Struct] | Message]) -> Json:
        channel = f"#/channels/{dialect.name}"
        names = [{"$ref": f"{channel}/messages/{_pointer(name_of(message))}"} for message in messages]
        found: Json = {"action": action, "channel": {"$ref": channel}, "messages": names}
        if dialect.keyed:
            found["security"] = [{"$ref": f"#/components/securitySchemes/{name}"} for name in _security()]
        return found

    return [
        (f"{dialect.name}.receive", operation("receive", dialect.takes)),
        (f"{dialect.name}.send", operation("send", dialect.says)),
    ]


def _pointer(name: str) -> str:
    """A name as a step of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _security() -> dict[str, Json]:
    return {
        "bearer": {"type": "http", "scheme": "bearer", "description": _KEYED},
        "header": {"type": "httpApiKey", "name": "X-API-Key", "in": "header", "description": _KEYED},
        "query": {"type": "httpApiKey", "name": "token", "in": "query", "description": _KEYED},
        "subprotocol": {
            "type": "httpApiKey",
            "name": "Sec-WebSocket-Protocol",
            "in": "header",
            "description": f"`rattil.v1, rattil.key.<key>`, or `rattil.key64.<base64url>`. {_KEYED}",
        },
    }
