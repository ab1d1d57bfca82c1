"""What counts as one client address where addresses are counted."""

from __future__ import annotations

import ipaddress

_IPV6_PREFIX = 64
"""One subscriber has at least a /64: addresses within it cost nothing."""


def network_of(address: str) -> str:
    """An IPv4 address as it is, the /64 of an IPv6 address, or the text that is neither."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _IPV6_PREFIX), strict=False))
