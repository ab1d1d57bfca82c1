"""What can be known to be wrong before anything is started: settings of services, and an absent Redis."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pydantic

from asr_worker.engines.model_files import ModelNotUsable, locate
from asr_worker.settings import WorkerSettings
from cli.settings_table import SERVICES
from cli.stack import Plan, groups
from shared.bus.redis_connections import ConnectionLimits, RedisConnections
from shared.errors import BusUnavailable
from shared.redaction import without_credentials
from shared.service.settings_help import explain, near_misses, setting_rows

_LIMITS = ConnectionLimits(max_connections=2, connect_s=2.0)
_NO_REDIS_YET = "redis://127.0.0.1:1/0"
"""Stands for the embedded server, whose port is not known before it runs."""


async def problems(plan: Plan) -> list[str]:
    """One sentence for everything that would keep the launch from coming up; empty if nothing does."""
    found = list(dict.fromkeys(_bad_settings(plan)))
    if plan.redis_url and not found:
        found += await _absent_redis(plan.redis_url)
    return found


def warnings(environ: Mapping[str, str]) -> list[str]:
    """One sentence for every variable that looks like a setting with a spelling mistake."""
    known = {row.env for _, _, settings in SERVICES for row in setting_rows(settings)}
    return [f"{name} is no setting: did you mean {meant}?" for name, meant in near_misses(known, environ)]


def _bad_settings(plan: Plan) -> Iterator[str]:
    classes = dict(zip(("gateway", "worker", "router"), (entry[2] for entry in SERVICES), strict=True))
    for kind, services in groups(plan, plan.redis_url or _NO_REDIS_YET):
        for service in services:
            with _environment(service.env):
                try:
                    settings = classes[kind]()
                except pydantic.ValidationError as error:
                    yield from explain(classes[kind], error, f"rattil {kind}")
                    continue
            if isinstance(settings, WorkerSettings):
                yield from _absent_model(settings.model)


def _absent_model(model: str) -> Iterator[str]:
    """A directory that is not there, or holds no model; a name may be downloaded when the worker starts."""
    path = Path(model).expanduser()
    if path.is_absolute() or path.exists() or model.startswith("."):
        try:
            locate(model)
        except ModelNotUsable as error:
            yield f"ASR_MODEL: {error.message}"


@contextmanager
def _environment(env: Mapping[str, str]) -> Iterator[None]:
    """This process's environment as a child would see it."""
    before = dict(os.environ)
    os.environ.update(env)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


async def _absent_redis(redis_url: str) -> list[str]:
    connections = RedisConnections(redis_url, _LIMITS)
    try:
        away = await connections.ping()
    except BusUnavailable:
        away = len(connections.shards)
    finally:
        await connections.close()
    if not away:
        return []
    where = without_credentials(redis_url)
    return [
        f"{away} of {len(connections.shards)} Redis servers do not answer at {where}; start them, or leave "
        "REDIS_URL empty to have one started"
    ]
