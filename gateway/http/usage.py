"""`GET /v1/usage`: what the caller's tenant has used, by day and pool."""

from __future__ import annotations

import datetime as dt

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.dependencies import GatewayPorts
from gateway.http.answers import answering_errors, json_response
from gateway.usage.store import Used
from shared.audio.formats import SAMPLE_RATE
from shared.errors import BadRequest


class UsageRow(msgspec.Struct, frozen=True):
    """One pool on one day (UTC)."""

    date: str
    pool: str
    audio_seconds: float
    sessions: int
    words: int


class UsageTotal(msgspec.Struct, frozen=True):
    """All rows together."""

    audio_seconds: float
    sessions: int
    words: int


class UsageReply(msgspec.Struct, frozen=True):
    """`from` and `to` are both included."""

    tenant: str
    since: str = msgspec.field(name="from")
    until: str = msgspec.field(name="to")
    total: UsageTotal
    days: tuple[UsageRow, ...]


def routes(ports: GatewayPorts) -> list[Route]:
    """The usage of whoever asks; there is no way to ask for another tenant's."""

    async def usage(request: Request) -> Response:
        tenant = ports.auth.tenant(request.headers, request.query_params)
        today = dt.datetime.fromtimestamp(ports.clock.wall_ms() / 1000, dt.UTC).date()
        since, until = _span(request, today, ports.settings.usage_days)
        days = [since + dt.timedelta(days=at) for at in range((until - since).days + 1)]
        found = await ports.usage.store.read(tenant, days)
        return json_response(_reply(tenant, since, until, found))

    return [Route("/v1/usage", answering_errors(usage))]


def _span(request: Request, today: dt.date, longest: int) -> tuple[dt.date, dt.date]:
    until = _date(request.query_params.get("to"), "to", today)
    since = _date(request.query_params.get("from"), "from", until.replace(day=1))
    if since > until:
        raise BadRequest(f"from={since} is later than to={until}; swap them")
    if (until - since).days >= longest:
        raise BadRequest(f"usage is kept for {longest} days; ask for at most so many at once")
    return since, until


def _date(text: str | None, name: str, default: dt.date) -> dt.date:
    if text is None:
        return default
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise BadRequest(f"{name} must be a date like 2026-11-30, not {text[:40]!r}") from error


def _reply(tenant: str, since: dt.date, until: dt.date, found: dict[dt.date, dict[str, Used]]) -> UsageReply:
    rows = [(day, pool, used) for day in sorted(found) for pool, used in sorted(found[day].items())]
    total = Used()
    for _, _, used in rows:
        total = total.plus(used)
    return UsageReply(
        tenant=tenant,
        since=since.isoformat(),
        until=until.isoformat(),
        total=UsageTotal(_seconds(total), total.sessions, total.words),
        days=tuple(
            UsageRow(day.isoformat(), pool, _seconds(used), used.sessions, used.words)
            for day, pool, used in rows
        ),
    )


def _seconds(used: Used) -> float:
    return round(used.samples / SAMPLE_RATE, 3)
