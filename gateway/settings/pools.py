"""The part of the gateway's settings that says which worker pools there are, and what each is for."""

from __future__ import annotations

from typing import Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings

from shared.ids import PoolName
from shared.pools import ACCURATE_POOL, PoolModel, default_pool, parse_pools


class PoolSettings(BaseSettings):
    """Pools with their models; clients choose among them by `model`."""

    asr_pool: str = Field(
        default="default",
        validation_alias="ASR_POOL",
        description="Worker pool of sessions whose client chooses none; with POOLS and without ASR_POOL the "
        "first pool of POOLS, or the one called default.",
    )
    pools: str = Field(
        default="",
        validation_alias="POOLS",
        description="Worker pools and their models, e.g. fast=rattil-tiny,accurate=rattil-base; clients "
        "choose one by `model`, the name of the pool or of its model. Empty: there is only ASR_POOL.",
    )
    report_pool: str = Field(
        default="",
        validation_alias="REPORT_POOL",
        description="Pool of POOLS whose model judges whole recordings (final reports, POST /verify without "
        "`model`); empty: the pool called accurate, else the session's own.",
    )

    @field_validator("pools")
    @classmethod
    def _check_pools(cls, value: str) -> str:
        parse_pools(value)
        return value

    @model_validator(mode="after")
    def _pools_fit_together(self) -> Self:
        names = [pool.pool for pool in self.pool_models]
        _ = self.default_pool  # it says what is wrong with ASR_POOL
        if self.report_pool and self.report_pool not in names:
            raise ValueError(
                f"REPORT_POOL is {self.report_pool!r}, but POOLS has only: {', '.join(names) or 'nothing'}"
            )
        return self

    @property
    def pool_models(self) -> tuple[PoolModel, ...]:
        """The pools of `POOLS`."""
        return parse_pools(self.pools)

    @property
    def default_pool(self) -> PoolName:
        """Where sessions go whose client chooses none."""
        return default_pool(self.pool_models, self.asr_pool if "asr_pool" in self.model_fields_set else None)

    @property
    def judging_pool(self) -> PoolName | None:
        """The pool whose model judges whole recordings, None for the session's own."""
        named = PoolName(self.report_pool) if self.report_pool else ACCURATE_POOL
        return named if named in [pool.pool for pool in self.pool_models] else None
