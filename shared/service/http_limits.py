"""What a request head and a socket may cost, and how many file descriptors that takes."""

from __future__ import annotations

import sys
from collections import Counter as Tally
from dataclasses import dataclass

import prometheus_client
from prometheus_client import CollectorRegistry

from shared.errors import RattilError


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds of one service; `HttpSettings` has them by name."""

    max_line_bytes: int = 16_384
    max_head_bytes: int = 65_536
    head_timeout_s: float = 10.0
    send_timeout_s: float = 20.0
    max_silent_per_address: int = 64
    max_sockets: int = 2_048


class TooFewDescriptors(RattilError):
    """The operating system allows fewer open files than the settings promise sockets."""

    code = "too_few_descriptors"


class HttpMetrics:
    """Counts of one service's HTTP side."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.sockets = prometheus_client.Gauge(
            "rattil_http_sockets", "Open sockets, of requests and WebSockets.", registry=registry
        )
        self.silent = prometheus_client.Gauge(
            "rattil_http_silent_sockets",
            "Sockets that have not sent a whole request head within a second.",
            registry=registry,
        )
        self.refused = prometheus_client.Counter(
            "rattil_http_refused_total",
            "Sockets closed before their request was served, by reason.",
            ["reason"],
            registry=registry,
        )


class SilentSockets:
    """How many sockets of each address have not sent their request head in time. Pure."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_address: Tally[str] = Tally()

    def __len__(self) -> int:
        return self._by_address.total()

    def add(self, address: str) -> bool:
        """Count one more; False (and it is not counted) if the address has its share already."""
        if self._by_address[address] >= self._most:
            return False
        self._by_address[address] += 1
        return True

    def remove(self, address: str) -> None:
        self._by_address[address] -= 1
        if self._by_address[address] <= 0:
            del self._by_address[address]


def need_descriptors(needed: int) -> int:
    """Raise this process's limit of open files as far as it may. Returns the limit then.

    Raises `TooFewDescriptors` if that is less than `needed`.
    """
    if sys.platform == "win32":
        return needed
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if soft != unlimited and soft < needed:
        # Not to an unlimited `hard`: macOS refuses that, and children would inherit it.
        wanted = needed if hard == unlimited else min(needed, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (ValueError, OSError):
            wanted = soft
        soft = wanted
    if soft != unlimited and soft < needed:
        raise TooFewDescriptors(
            f"the settings promise sockets for {needed} open files, but the system allows {soft}; raise that "
            "(ulimit -n) or lower WS_MAX_CONNECTIONS or HTTP_MAX_SOCKETS"
        )
    return needed if soft == unlimited else soft
