"""Which models are served, and by which names: `GET /v1/models`, `GET /v1/models/{id}`."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.admission.pools import ModelCatalogue
from gateway.dependencies import GatewayPorts
from gateway.dialects.openai.errors import BadParameter, ModelNotFound, answering_errors, wrong_method
from gateway.http.answers import json_response

DEFAULT = "default"
"""Rattil's own name for the model of `ASR_POOL`."""
ALIASES = (
    "whisper-1",
    "gpt-4o-transcribe",
    "gpt-4o-transcribe-diarize",
    "gpt-4o-mini-transcribe",
    "gpt-4o-mini-transcribe-2025-12-15",
    "gpt-transcribe",
    "gpt-realtime-whisper",
    "gpt-live-transcribe",
)
"""OpenAI's names that clients have built in; all stand for the default model."""

_CREATED = 1_732_838_400
"""A time that clients expect with each model (2024-11-29); there is none to tell."""


class Model(msgspec.Struct, frozen=True):
    """One model, or another name of the default one."""

    id: str
    object: str = "model"
    created: int = _CREATED
    owned_by: str = "rattil"


class ModelList(msgspec.Struct, frozen=True):
    """Every name that `model` may have."""

    data: tuple[Model, ...]
    object: str = "list"


def check_served(name: str, served: tuple[str, ...]) -> str:
    """The name itself. Raises `BadParameter` for none, `ModelNotFound` for one that is not served."""
    if not name:
        raise BadParameter("model", "you must provide a model parameter")
    if name not in served:
        raise ModelNotFound(f"the model {name[:60]!r} is not served here; choose one of {', '.join(served)}")
    return name


def names_of(models: ModelCatalogue) -> tuple[str, ...]:
    """Every name that `model` may have: OpenAI's, and those of pools and of their models."""
    own = [name for one in models.served for name in (one.pool, one.model) if name]
    return tuple(dict.fromkeys((*ALIASES, DEFAULT, *own)))


def wish(name: str, models: ModelCatalogue) -> str:
    """The pool that is asked for; empty where the choice is the service's."""
    if name in ALIASES and models.find(name) is None:
        return ""
    return models.wish(name, transcription=True)


def routes(ports: GatewayPorts) -> list[Route]:
    """The routes of this page."""

    async def every(request: Request) -> Response:
        ports.auth.tenant(request.headers, request.query_params)
        names = names_of(ports.models)
        return json_response(ModelList(tuple(Model(name) for name in names)))

    async def one(request: Request) -> Response:
        ports.auth.tenant(request.headers, request.query_params)
        name = str(request.path_params["model"])
        return json_response(Model(check_served(name, names_of(ports.models))))

    others = ["POST", "PUT", "PATCH", "DELETE"]
    return [
        Route("/v1/models", answering_errors(every), methods=["GET"]),
        Route("/v1/models", wrong_method, methods=others),
        Route("/v1/models/{model}", answering_errors(one), methods=["GET"]),
        Route("/v1/models/{model}", wrong_method, methods=others),
    ]
