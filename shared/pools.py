"""Worker pools and their models, as `POOLS` names them: `fast=rattil-tiny,accurate=rattil-base`. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from shared.ids import PoolName

POOL_PATTERN = "^[A-Za-z0-9_-]{1,64}$"
DEFAULT_POOL = PoolName("default")
"""The pool of a service that is told none; as a client's `model` it always means the default pool."""
ACCURATE_POOL = PoolName("accurate")
"""The pool that judges whole recordings if `REPORT_POOL` names no other one."""
FAST_POOL = PoolName("fast")
"""The pool that new sessions are put into under load, if there is one of this name."""

_POOL = re.compile(POOL_PATTERN)


class PoolModel(NamedTuple):
    """One pool; `model` as `ASR_MODEL` takes it: a name, an id or a folder."""

    pool: PoolName
    model: str

    @property
    def model_name(self) -> str:
        """What clients call the model: without the folders it lies in."""
        return self.model.rstrip("/").rpartition("/")[2]


def parse_pools(text: str) -> tuple[PoolModel, ...]:
    """The pools of `pool=model,pool=model`, in that order. Raises ValueError with a sentence."""
    pools: dict[PoolName, PoolModel] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, _, model = (part.strip() for part in pair.partition("="))
        if not _POOL.fullmatch(name) or not model:
            raise ValueError(f"{pair!r} is not pool=model, as in fast=rattil-tiny")
        if name in pools:
            raise ValueError(f"the pool {name!r} is named twice; one pool has one model")
        pools[PoolName(name)] = PoolModel(PoolName(name), model)
    return tuple(pools.values())


def default_pool(pools: Sequence[PoolModel], asr_pool: str | None) -> PoolName:
    """The pool of a service: `asr_pool` where it is set, else the pool called default, else the first one.

    Raises ValueError if `asr_pool` is none of `pools`.
    """
    names = [pool.pool for pool in pools]
    if asr_pool is None:
        return DEFAULT_POOL if not names or DEFAULT_POOL in names else names[0]
    if names and asr_pool not in names:
        raise ValueError(f"ASR_POOL is {asr_pool!r}, but POOLS has only: {', '.join(names)}")
    return PoolName(asr_pool)
