"""Which models a client may choose, and which pool serves each. Pure, but for asking who is ready."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from gateway.settings import GatewaySettings
from shared.errors import BadRequest
from shared.ids import PoolName
from shared.pools import ACCURATE_POOL, DEFAULT_POOL, FAST_POOL, PoolModel


class UnknownModel(BadRequest):
    """The client asks for a model or a pool that this service does not have."""

    code = "unknown_model"


class PoolStatus(msgspec.Struct, frozen=True):
    """A pool as the routers see it: workers that take sessions now, and the models that they run.

    `utilisation`: share of its session slots in use, above 1 when capacity fell."""

    pool: PoolName
    workers: int = 0
    utilisation: float = 0.0
    models: tuple[str, ...] = ()


class ServedModel(msgspec.Struct, frozen=True):
    """One choice of a client: `pool` or `model` is what it sends. `model` is empty where nobody knows it.

    `versions`: what its workers report (`rattil-tiny@0.5.0`); `workers`: how many are ready, None where no
    router knows the pool. `recitation`: whether recitations may choose it, too.
    """

    pool: PoolName
    model: str = ""
    default: bool = False
    recitation: bool = True
    workers: int | None = None
    versions: tuple[str, ...] = ()


class PoolReports(Protocol):
    """Who knows how the pools are."""

    async def pools(self) -> Sequence[PoolStatus]:
        """All pools that workers have reported. Raises `RouterUnavailable`."""
        ...


class ModelCatalogue:
    """The pools of one gateway. What is asked of it for each session is pure."""

    def __init__(
        self,
        default: PoolName,
        pools: Sequence[PoolModel] = (),
        transcription: Sequence[PoolName] = (),
        judge: PoolName | None = None,
    ) -> None:
        """`transcription`: further pools, for transcription alone. `judge`: whose model judges recordings."""
        # As a choice, "default" is always the default pool: another pool of that name cannot be chosen.
        known = [one for one in pools if one.pool == default or one.pool != DEFAULT_POOL]
        if default not in [one.pool for one in known]:
            known.insert(0, PoolModel(default, ""))
        own = {one.pool for one in known}
        self.default = default
        self._judge = judge
        self._served = (
            *(ServedModel(one.pool, one.model_name, one.pool == default) for one in known),
            *(ServedModel(pool, recitation=False) for pool in transcription if pool not in own),
        )

    @property
    def served(self) -> tuple[ServedModel, ...]:
        """Every choice there is, as the settings have it; the default one is among them."""
        return self._served

    @property
    def fast(self) -> PoolName | None:
        """The pool for sessions that choose nothing, while the default one is under load."""
        return FAST_POOL if FAST_POOL in self.names else None

    @property
    def names(self) -> tuple[PoolName, ...]:
        return tuple(one.pool for one in self._served)

    def choose(self, model: str, *, transcription: bool = False) -> PoolName:
        """The pool for a client's `model`: a pool, a model, or nothing. Raises `UnknownModel`."""
        pool = self.find(model, transcription=transcription)
        if pool is None:
            raise UnknownModel(f"there is no model {model[:64]!r}; choose {self._choices(transcription)}")
        return pool

    def wish(self, model: str, *, transcription: bool = False) -> str:
        """As `choose`, empty where the client leaves the choice to the service."""
        return "" if model in ("", DEFAULT_POOL) else self.choose(model, transcription=transcription)

    def find(self, model: str, *, transcription: bool = True) -> PoolName | None:
        """As `choose`, None for what there is not. Names of pools come before names of models."""
        if model in ("", DEFAULT_POOL):
            return self.default
        open_to = [one for one in self._served if one.recitation or transcription]
        for one in open_to:
            if one.pool == model:
                return one.pool
        return next((one.pool for one in open_to if one.model and one.model == model), None)

    def model_of(self, pool: PoolName) -> str:
        """What to call the model of a pool: its own name where it is known, else the pool's."""
        return next((one.model for one in self._served if one.pool == pool and one.model), str(pool))

    def judges(self, pool: PoolName) -> tuple[PoolName, ...]:
        """The pools that judge a whole recording of a session in `pool`: the first one that is ready does."""
        return tuple(dict.fromkeys(one for one in (self._judge, pool) if one is not None))

    def accurate(self, pool: PoolName, *, recitation: bool) -> PoolName:
        """The pool whose model hears a recording of a session in `pool` once more: that of the name
        `accurate`, where there is one that can; else the session's own, and of recitations the judge."""
        for one in self._served:
            if one.pool == ACCURATE_POOL and (one.recitation or not recitation):
                return one.pool
        return self.judges(pool)[0] if recitation else pool

    async def listed(self, reports: PoolReports) -> tuple[ServedModel, ...]:
        """Every choice, with the workers and versions that the routers know. Raises `RouterUnavailable`."""
        found = {status.pool: status for status in await reports.pools()}
        return tuple(_with_workers(one, found.get(one.pool)) for one in self._served)

    def _choices(self, transcription: bool) -> str:
        named = [
            f"{one.pool} ({one.model})" if one.model else str(one.pool)
            for one in self._served
            if one.recitation or transcription
        ]
        return " or ".join(dict.fromkeys([*named, str(DEFAULT_POOL)]))


def catalogue_of(settings: GatewaySettings) -> ModelCatalogue:
    """The catalogue that the settings describe."""
    return ModelCatalogue(
        settings.default_pool,
        settings.pool_models,
        tuple(PoolName(name) for name in settings.transcription_only),
        settings.judging_pool,
    )


def _with_workers(served: ServedModel, status: PoolStatus | None) -> ServedModel:
    if status is None:
        return served
    versions = status.models
    model = served.model or (versions[0].partition("@")[0] if versions else "")
    return msgspec.structs.replace(served, model=model, workers=status.workers, versions=versions)
