"""Which web pages may use this service, and by which names it may be called. Pure but for the machine's name.

A browser sends a page's requests to any address, also to one that only its user can reach: without keys every
page that the user visits could use the service. `Origin` says which page asks. A page can also give its own
name the service's address (DNS rebinding) and then asks as if it came from there: `Host` says which name was
used. An IP address in `Host` cannot be the work of DNS.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from shared.service.loopback import is_local_name, is_loopback

_ANY = "*"


@dataclass(frozen=True, slots=True)
class EntryPolicy:
    """One policy for all entries: WebSockets, POST, and the rest. `None` means any."""

    origins: frozenset[str] | None
    hosts: frozenset[str] | None
    local_pages: bool = False
    """Whether pages of this machine (http://localhost:3000) may use the service."""

    @classmethod
    def of(
        cls, allowed_origins: str, allowed_hosts: str, *, host: str, keyed: bool, any_host: bool = False
    ) -> EntryPolicy:
        """From the settings. `keyed`: API keys protect the service, so names and pages do not matter.

        `any_host`: everybody may use it anyhow, so the name does not matter.
        """
        origins = _listed(allowed_origins)
        hosts = _listed(allowed_hosts)
        any_host = _ANY in hosts or ((keyed or any_host) and not hosts)
        if not hosts and not any_host:
            hosts = frozenset({host.lower(), socket.gethostname().lower()} - {""})
        any_origin = _ANY in origins or (keyed and not origins)
        return cls(
            origins=None if any_origin else origins,
            hosts=None if any_host else hosts,
            local_pages=not origins and is_loopback(host),
        )

    def allows_host(self, host: str | None) -> bool:
        """`host`: the header; None if the client (none is a browser) sent none."""
        if self.hosts is None or host is None:
            return True
        name = _name_of(host)
        return _is_ip(name) or is_local_name(name) or name in self.hosts

    def allows_origin(self, origin: str | None, host: str | None) -> bool:
        """`origin`: the header; None if the client is no browser. A page of this service may always."""
        if self.origins is None or origin is None:
            return True
        if origin.lower() in self.origins:
            return True
        place = urlsplit(origin.lower())
        if not place.netloc:
            return False  # "null": a file, or a page that hides where it is from
        name = _name_of(place.netloc)
        if host is not None and host.lower() in (place.netloc, name):  # a proxy may leave out the port
            return True
        return self.local_pages and (is_local_name(name) or is_loopback(name))


def _listed(text: str) -> frozenset[str]:
    return frozenset(part.strip().lower().rstrip("/") for part in text.split(",") if part.strip())


def _name_of(host: str) -> str:
    """Without the port, and an IPv6 address without its brackets."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
