"""Everything a router can be told, by environment variables."""

from __future__ import annotations

from typing import Literal

import pydantic
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from session_router.admission.overflow import AdmissionRules, OverflowPolicy
from session_router.http.guard import LOOPBACK_HOSTS
from session_router.scaling.replicas import ScalingRules
from shared.bus.redis_addresses import parse_urls
from shared.ids import PoolName
from shared.service.http_settings import HttpSettings
from shared.service.logging import LogFormat
from shared.service.loopback import is_loopback
from shared.service.service_keys import parse_service_keys


class RouterSettings(HttpSettings):
    """Settings of one session router. All routers of a cluster should get the same."""

    model_config = SettingsConfigDict(env_prefix="ROUTER_", populate_by_name=True, extra="ignore")

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8100, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    api_keys: str = Field(
        default="",
        description="Keys that callers of the API must send (Authorization: Bearer), separated by commas; "
        "gateways send their first one. Needed unless ROUTER_HOST is this machine's loopback.",
    )
    allowed_hosts: str = Field(
        default="",
        description="Names by which callers may address this router (Host header), separated by commas; "
        "empty: loopback names if ROUTER_HOST is loopback, else all.",
    )
    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0",
        validation_alias="REDIS_URL",
        repr=False,
        description="Redis, or several separated by commas (the shards sessions are spread over).",
    )
    control_redis_url: str = Field(
        default="",
        validation_alias="CONTROL_REDIS_URL",
        repr=False,
        description="Redis with the worker registry and the leases; empty takes the first of REDIS_URL.",
    )
    redis_max_connections: int = Field(
        default=32,
        ge=2,
        le=1000,
        description="Connections to the control Redis at most; more calls wait for one.",
    )
    redis_timeout_s: float = Field(
        default=2.0,
        gt=0,
        le=60,
        description="Seconds to wait for an answer of Redis before it counts as away.",
    )
    lease_ttl_s: float = Field(
        default=30.0, ge=3, le=3600, description="Seconds a lease holds unless its gateway renews it."
    )
    refresh_interval_s: float = Field(
        default=0.5,
        ge=0.05,
        le=10,
        description="Seconds between looks at the workers' reports and at expired leases.",
    )
    overflow: OverflowPolicy = Field(
        default="reject",
        description="What happens to a session when its pool is full: reject it, queue it for "
        "ROUTER_QUEUE_TIMEOUT_S, or degrade it to the pool in ROUTER_DEGRADE_POOLS.",
    )
    queue_timeout_s: float = Field(
        default=10.0, ge=0.1, le=300, description="Seconds a queued session waits for a slot at most."
    )
    max_waiting: int = Field(
        default=200,
        ge=0,
        le=100_000,
        description="Sessions one router lets wait at once; more are turned away (429).",
    )
    degrade_pools: str = Field(
        default="",
        description="Smaller pools to fall back to, as full:smaller pairs, e.g. large:default,default:tiny.",
    )
    retry_after_s: float = Field(
        default=5.0,
        ge=0.1,
        le=600,
        description="Seconds a refused client is told to wait before it asks again.",
    )
    max_renewals: int = Field(
        default=5000, ge=1, le=100_000, description="Leases one batch renewal may name at most."
    )
    scale_utilisation: float = Field(
        default=0.7, gt=0, le=1, description="Share of session slots in use that the scaling signal aims at."
    )
    scale_backlog_age_ms: int = Field(
        default=1000,
        ge=50,
        le=600_000,
        description="Age (ms) of the oldest segment above which a pool must grow.",
    )
    scale_min_replicas: int = Field(
        default=1, ge=0, le=10_000, description="Fewest workers the signal asks for."
    )
    scale_max_replicas: int = Field(
        default=100, ge=1, le=10_000, description="Most workers the signal asks for."
    )
    scale_refused_s: float = Field(
        default=120.0,
        ge=0,
        le=3600,
        description="Seconds for which a session that found no worker of its pool asks for one: what wakes a "
        "pool that sleeps. Longer than the autoscaler's pause between two looks.",
    )
    drain_s: float = Field(
        default=1.0, ge=0, le=300, description="Seconds between saying not ready and stopping, on SIGTERM."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", validation_alias="LOG_LEVEL", description="Least severe log lines to write."
    )
    log_format: LogFormat = Field(
        default="auto",
        validation_alias="LOG_FORMAT",
        description="Log lines as JSON, for a console, or as fits stderr.",
    )

    @pydantic.field_validator("redis_url")
    @classmethod
    def _check_redis_url(cls, value: str) -> str:
        parse_urls(value)
        return value

    @pydantic.field_validator("degrade_pools")
    @classmethod
    def _check_degrade_pools(cls, value: str) -> str:
        parse_degrade_pools(value)
        return value

    @pydantic.model_validator(mode="after")
    def _check_overflow(self) -> RouterSettings:
        if self.overflow == "degrade" and not self.degrade_pools:
            raise ValueError("ROUTER_OVERFLOW=degrade needs ROUTER_DEGRADE_POOLS: to which pool from which")
        return self

    @pydantic.model_validator(mode="after")
    def _check_scaling(self) -> RouterSettings:
        if self.scale_min_replicas > self.scale_max_replicas:
            raise ValueError("ROUTER_SCALE_MIN_REPLICAS is greater than ROUTER_SCALE_MAX_REPLICAS")
        return self

    @pydantic.model_validator(mode="after")
    def _check_api_keys(self) -> RouterSettings:
        # Not a check of the field: that one would show the key in its refusal.
        try:
            keys = parse_service_keys(self.api_keys)
        except ValueError as error:
            raise ValueError(f"ROUTER_API_KEYS: {error}") from None
        if not keys and not is_loopback(self.host):
            raise ValueError(
                "ROUTER_API_KEYS is empty, but ROUTER_HOST can be reached from other machines; set the same "
                "key for routers and gateways, or listen on 127.0.0.1"
            )
        return self

    @property
    def keys(self) -> tuple[str, ...]:
        return parse_service_keys(self.api_keys)

    @property
    def host_names(self) -> tuple[str, ...]:
        """What a Host header may say; empty: anything."""
        named = tuple(name.strip() for name in self.allowed_hosts.split(",") if name.strip())
        if named or not is_loopback(self.host):
            return named
        return (*LOOPBACK_HOSTS, self.host.strip("[]"))

    @property
    def control_url(self) -> str:
        return self.control_redis_url.strip() or parse_urls(self.redis_url)[0]

    @property
    def admission_rules(self) -> AdmissionRules:
        return AdmissionRules(
            overflow=self.overflow,
            queue_timeout_s=self.queue_timeout_s,
            max_waiting=self.max_waiting,
            retry_after_s=self.retry_after_s,
            degrade=parse_degrade_pools(self.degrade_pools),
        )

    @property
    def scaling_rules(self) -> ScalingRules:
        return ScalingRules(
            utilisation=self.scale_utilisation,
            backlog_age_ms=self.scale_backlog_age_ms,
            min_replicas=self.scale_min_replicas,
            max_replicas=self.scale_max_replicas,
        )


def parse_degrade_pools(text: str) -> dict[PoolName, PoolName]:
    """`large:default,default:tiny` as a mapping; raises ValueError for anything else, and for circles."""
    steps: dict[PoolName, PoolName] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        pool, colon, smaller = (part.strip() for part in pair.partition(":"))
        if not (pool and colon and smaller) or pool in steps:
            raise ValueError(f"{pair!r} is not one full:smaller pair per pool, as in large:default")
        steps[PoolName(pool)] = PoolName(smaller)
    for start in steps:
        seen, pool_name = {start}, steps[start]
        while pool_name in steps:
            if pool_name in seen:
                raise ValueError(f"the pools degrade in a circle at {pool_name!r}")
            seen.add(pool_name)
            pool_name = steps[pool_name]
        if pool_name in seen:
            raise ValueError(f"the pools degrade in a circle at {pool_name!r}")
    return steps
