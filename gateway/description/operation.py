"""How one HTTP operation is described: what it takes, what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from gateway.description.dialect import JSON, Parameter
from gateway.description.schemas import Json
from shared.service.http_json import ErrorBody

HTML = "text/html"
ANY = "*/*"


class Answer(NamedTuple):
    """One answer. `kinds`: the types whose fields it has, all together, or one of them with `choice`; none:
    no JSON. `others`: what stands for further media types."""

    meaning: str
    kinds: Sequence[type[msgspec.Struct]] = (ErrorBody,)
    media_type: str = JSON
    choice: bool = False
    others: Mapping[str, Json] = {}


class Operation(NamedTuple):
    """One method of one path. `answers` by status; `keyed`: it asks for an API key where there are any.

    `prefix`: stands before the names of its types in the document; empty for Rattil's own. `parts`: types
    that its body or `others` of its answers refer to.
    """

    method: str
    path: str
    name: str
    summary: str
    answers: Mapping[int, Answer]
    parameters: Sequence[Parameter] = ()
    body: Json | None = None
    keyed: bool = False
    prefix: str = ""
    parts: Sequence[type[msgspec.Struct]] = ()
