"""Which models are served, and by which names: `GET /v1/models`, `GET /v1/models/{id}`."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.dependencies import GatewayPorts
from gateway.dialects.openai.errors import BadParameter, ModelNotFound, answering_errors, wrong_method
from gateway.http.answers import json_response
from gateway.settings import GatewaySettings

DEFAULT = "default"
"""Rattil's own name for the model of `ASR_POOL`."""
ALIASES = (
    "whisper-1",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "gpt-realtime-whisper",
)
"""OpenAI's names that clients have built in; all mean the default model."""

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


def recording_models(settings: GatewaySettings) -> tuple[str, ...]:
    """The names that a whole recording may be transcribed by."""
    return tuple(dict.fromkeys((*ALIASES, DEFAULT, settings.asr_pool)))


def live_models(settings: GatewaySettings) -> tuple[str, ...]:
    """The names that a live session may ask for: pools, too."""
    return tuple(dict.fromkeys((*recording_models(settings), *settings.pool_choices)))


def pool_of(model: str, settings: GatewaySettings) -> str:
    """The pool that a session asks for; empty for the default one."""
    return model if model in settings.pool_choices else ""


def routes(ports: GatewayPorts) -> list[Route]:
    """The routes of this page."""

    async def every(request: Request) -> Response:
        ports.auth.tenant(request.headers, request.query_params)
        names = live_models(ports.settings)
        return json_response(ModelList(tuple(Model(name) for name in names)))

    async def one(request: Request) -> Response:
        ports.auth.tenant(request.headers, request.query_params)
        name = str(request.path_params["model"])
        return json_response(Model(check_served(name, live_models(ports.settings))))

    others = ["POST", "PUT", "PATCH", "DELETE"]
    return [
        Route("/v1/models", answering_errors(every), methods=["GET"]),
        Route("/v1/models", wrong_method, methods=others),
        Route("/v1/models/{model}", answering_errors(one), methods=["GET"]),
        Route("/v1/models/{model}", wrong_method, methods=others),
    ]
