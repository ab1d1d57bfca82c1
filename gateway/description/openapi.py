"""The OpenAPI 3.1 document of the gateway's HTTP routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from gateway.description.asyncapi import API_VERSION
from gateway.description.codes import code_schemas
from gateway.description.dialect import JSON, Parameter
from gateway.description.operation import Answer, Operation
from gateway.description.operations import OPERATIONS
from gateway.description.schemas import Json, reference, schemas_of
from shared.service.http_json import ErrorBody

_EVERYWHERE = {
    "403": "`host_not_allowed` or `origin_not_allowed`: not by this name, or not from this page.",
    "405": "`method_not_allowed`: the path does not understand this method.",
    "408": "`head_timeout`: the head of the request did not come in time.",
    "414": "`line_too_long`: the address is too long.",
    "429": "`too_many_silent`: too many sockets of this address have sent nothing.",
    "431": "`head_too_large`: the headers are too long.",
    "503": "`too_many_sockets`: too many sockets are open.",
}
"""What the server answers whatever is asked for."""
_NOT_THE_DIALECT = {*_EVERYWHERE, "404", "500"}
"""What may also come from around a dialect of another service, and is Rattil's error then."""

_KEYED = "Needed only where the operator has set API_KEYS; any one of these ways will do."


def openapi(operations: Sequence[Operation] = OPERATIONS) -> Json:
    """The document, the same on every machine."""
    kinds: dict[str, set[type[msgspec.Struct]]] = {"": {ErrorBody}}
    for operation in operations:
        its_kinds = kinds.setdefault(operation.prefix, set())
        its_kinds.update(operation.parts, *(answer.kinds for answer in operation.answers.values()))
    paths: dict[str, Json] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Rattil over HTTP",
            "version": API_VERSION,
            "description": (
                "Verses, whole recordings, usage and operations. Live recognition is in /asyncapi.json. "
                "Automatic feedback can be wrong and does not replace a teacher."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": _schemas(kinds),
            "responses": {status: _answer(Answer(text)) for status, text in _EVERYWHERE.items()},
            "securitySchemes": _security(),
        },
    }


def _schemas(kinds: Mapping[str, set[type[msgspec.Struct]]]) -> dict[str, Json]:
    schemas = code_schemas()
    for prefix, those in kinds.items():
        schemas |= schemas_of(sorted(those, key=lambda kind: kind.__name__), prefix)
    # Problems are of all services; only this one lists its codes.
    schemas["Problem"]["properties"]["code"] = {"$ref": "#/components/schemas/ErrorCode"}
    return schemas


def _operation(operation: Operation) -> Json:
    everywhere: Json = {status: {"$ref": f"#/components/responses/{status}"} for status in _EVERYWHERE}
    own = {
        str(status): _answer(
            answer,
            operation.prefix,
            or_ours=bool(operation.prefix) and str(status) in _NOT_THE_DIALECT,
        )
        for status, answer in operation.answers.items()
    }
    described: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "responses": dict(sorted((everywhere | own).items())),
    }
    if operation.parameters:
        described["parameters"] = [_parameter(operation.path, one) for one in operation.parameters]
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": operation.body}
    if operation.keyed:
        described["security"] = [{}, *({name: []} for name in _security())]
    return described


def _parameter(path: str, parameter: Parameter) -> Json:
    return {
        "name": parameter.name,
        "in": "path" if f"{{{parameter.name}}}" in path else "query",
        "required": parameter.required,
        "schema": parameter.schema,
        "description": parameter.meaning,
    }


def _answer(answer: Answer, prefix: str = "", *, or_ours: bool = False) -> Json:
    """`or_ours`: it may be Rattil's error, too."""
    described: Json = {"description": answer.meaning}
    if answer.kinds:
        schemas = [reference(kind, prefix) for kind in answer.kinds]
        schema = schemas[0] if len(schemas) == 1 else {"anyOf" if answer.choice else "allOf": schemas}
        if or_ours:
            schema = {"anyOf": [schema, reference(ErrorBody)]}
        described["content"] = {answer.media_type: {"schema": schema}} | dict(answer.others)
    elif answer.media_type != JSON:
        described["content"] = {answer.media_type: {}}
    return described


def _security() -> dict[str, Json]:
    return {
        "bearer": {"type": "http", "scheme": "bearer", "description": _KEYED},
        "header": {"type": "apiKey", "name": "X-API-Key", "in": "header", "description": _KEYED},
        "query": {"type": "apiKey", "name": "token", "in": "query", "description": _KEYED},
    }
