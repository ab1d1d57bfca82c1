"""`POST /v1/realtime/client_secrets`: a short-lived secret for browsers and apps that open `/v1/realtime`."""

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
from gateway.http.answers import json_response
from shared.errors import BadRequest
from shared.service.http_json import read_json

PATH = "/v1/realtime/client_secrets"
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


def routes(ports: GatewayPorts) -> list[Route]:
    """The routes of this page."""
    secrets = ClientSecrets(ports.settings.api_keys)

    async def issue(request: Request) -> Response:
        tenant = ports.auth.tenant(request.headers, request.query_params)
        asked = await read_json(request, _Asked, MAX_BODY_BYTES)
        config = SessionConfig(ALIASES[0]).updated(asked.session, ports.models, beta=False)
        session = msgspec.json.encode(asked.session)
        if len(session) > MAX_SESSION_BYTES:
            raise BadRequest(
                f"session holds at most {MAX_SESSION_BYTES} bytes; send the rest as session.update"
            )
        expires_s = ports.clock.wall_ms() // 1000 + asked.expires_after.seconds
        value = secrets.issue(Grant(tenant, expires_s, msgspec.Raw(session)))
        return json_response(ClientSecret(value, expires_s, config.shown(new_id("sess"), beta=False)))

    others = ["GET", "PUT", "PATCH", "DELETE"]
    return [
        Route(PATH, answering_errors(issue), methods=["POST"]),
        Route(PATH, wrong_method, methods=others),
    ]
