"""How many costly requests are in work at once: in all, for one tenant, and from one address. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from shared.addresses import network_of
from shared.errors import NoCapacity, TooManyRequests

RETRY_S = 5.0


class TooManyUploads(TooManyRequests):
    """A tenant or an address has as many uploads in work as it may."""

    code = "too_many_uploads"


class ConcurrencyLimit:
    """Places for uploads. A place is taken without waiting, or refused."""

    def __init__(self, total: int, per_tenant: int, per_address: int) -> None:
        self._total = total
        self._per_tenant = per_tenant
        self._per_address = per_address
        self._tenants: Counter[str] = Counter()
        self._networks: Counter[str] = Counter()
        self.in_work = 0

    @contextmanager
    def place(self, tenant: str, address: str) -> Iterator[None]:
        """Hold a place. An empty tenant or address is not counted by itself.

        Raises `TooManyUploads` for the caller's own limits and `NoCapacity` for that of all.
        """
        network = network_of(address)
        if tenant and self._tenants[tenant] >= self._per_tenant:
            raise TooManyUploads(f"{_of(self._per_tenant)} of your tenant; wait for one of them", RETRY_S)
        if network and self._networks[network] >= self._per_address:
            raise TooManyUploads(f"{_of(self._per_address)} from your address; wait for one of them", RETRY_S)
        if self.in_work >= self._total:
            raise NoCapacity(f"{self._total} recordings are in work already; try again soon", RETRY_S)
        self._count(tenant, network, 1)
        try:
            yield
        finally:
            self._count(tenant, network, -1)

    def _count(self, tenant: str, network: str, by: int) -> None:
        self.in_work += by
        for counts, name in ((self._tenants, tenant), (self._networks, network)):
            counts[name] += by
            if not counts[name]:
                del counts[name]


def _of(limit: int) -> str:
    return f"{limit} uploads are in work already, the most"
