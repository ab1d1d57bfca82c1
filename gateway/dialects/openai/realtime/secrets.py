"""`POST /v1/realtime/client_secrets`: a short-lived secret for browsers and apps that open `/v1/realtime`;
and `POST /v1/realtime/transcription_sessions`, the same in the beta shape."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.auth.client_secrets import ClientSecrets, Grant
from gateway.dependencies import GatewayPorts
from gateway.dialects.openai.errors import answering_errors, wrong_method
from gateway.dialects.openai.models import ALIASES
from gateway.dialects.openai.realtime.messages import new_id
from gateway.dialects.openai.realtime.session_config import SessionConfig
from gateway.dialects.openai.realtime.session_fields import converted
from gateway.http.answers import json_response
from shared.errors import BadRequest
from shared.service.http_json import read_json

PATH = "/v1/realtime/client_secrets"
BETA_PATH = "/v1/realtime/transcription_sessions"
USUAL_S, LEAST_S, MOST_S = 600, 10, 7200
"""How long a secret can be used, seconds: the usual time, and the bounds of what may be asked for."""
MAX_BODY_BYTES = 16_384
MAX_SESSION_BYTES = 4096
"""A secret travels in a header, or as a subprotocol."""


class Expiry(msgspec.Struct):
    """`seconds`: how long the secret can be used. `anchor` is taken and not looked at."""

    seconds: Annotated[int, msgspec.Meta(ge=LEAST_S, le=MOST_S)] = USUAL_S
    anchor: str = "created_at"


class _Asked(msgspec.Struct):
    expires_after: Expiry = msgspec.field(default_factory=Expiry)
    session: dict[str, Any] = msgspec.field(default_factory=dict)


class ClientSecret(msgspec.Struct, frozen=True):
    """`value` is what the client sends as its key. `expires_at`: Unix time. A session goes on beyond it."""

    value: str
    expires_at: int
    session: dict[str, Any]


class BetaExpiry(msgspec.Struct):
    """`client_secret` of a beta request."""

    expires_after: Expiry = msgspec.field(default_factory=Expiry)


class _BetaAsked(msgspec.Struct):
    client_secret: BetaExpiry = msgspec.field(default_factory=BetaExpiry)


class BetaSecret(msgspec.Struct, frozen=True):
    """`value` is what the client sends as its key. `expires_at`: Unix time. A session goes on beyond it."""

    value: str
    expires_at: int


class TranscriptionSession(msgspec.Struct, frozen=True):
    """A session that a client may open with `client_secret`: its configuration, in the beta shape."""

    id: str
    object: str
    input_audio_format: str
    input_audio_transcription: dict[str, Any]
    turn_detection: dict[str, Any] | None
    input_audio_noise_reduction: dict[str, Any] | None
    client_secret: BetaSecret


def routes(ports: GatewayPorts) -> list[Route]:
    """The routes of this page."""
    secrets = ClientSecrets(ports.settings.api_keys)

    async def issue(request: Request) -> Response:
        tenant = ports.auth.tenant(request.headers, request.query_params)
        asked = await read_json(request, _Asked, MAX_BODY_BYTES)
        config = SessionConfig(ALIASES[0]).updated(asked.session, ports.models, beta=False)
        value, expires_s = grant(tenant, asked.session, asked.expires_after)
        return json_response(ClientSecret(value, expires_s, config.shown(new_id("sess"), beta=False)))

    async def issue_beta(request: Request) -> Response:
        tenant = ports.auth.tenant(request.headers, request.query_params)
        session = await read_json(request, dict[str, Any], MAX_BODY_BYTES)
        config = SessionConfig(ALIASES[0]).updated(session, ports.models, beta=True)
        expiry = converted(session, _BetaAsked).client_secret.expires_after
        value, expires_s = grant(tenant, config.fields, expiry)
        shown = config.shown(new_id("sess"), beta=True)
        return json_response(TranscriptionSession(**shown, client_secret=BetaSecret(value, expires_s)))

    def grant(tenant: str, session: dict[str, Any], expiry: Expiry) -> tuple[str, int]:
        """A secret that begins with this session, and until when (Unix time)."""
        encoded = msgspec.json.encode(session)
        if len(encoded) > MAX_SESSION_BYTES:
            raise BadRequest(
                f"session holds at most {MAX_SESSION_BYTES} bytes; send the rest as session.update"
            )
        expires_s = ports.clock.wall_ms() // 1000 + expiry.seconds
        return secrets.issue(Grant(tenant, expires_s, msgspec.Raw(encoded))), expires_s

    others = ["GET", "PUT", "PATCH", "DELETE"]
    return [
        Route(PATH, answering_errors(issue), methods=["POST"]),
        Route(PATH, wrong_method, methods=others),
        Route(BETA_PATH, answering_errors(issue_beta), methods=["POST"]),
        Route(BETA_PATH, wrong_method, methods=others),
    ]
