"""Which addresses only this machine reaches."""

from __future__ import annotations

import ipaddress


def is_local_name(host: str) -> bool:
    """`localhost` and names below it, which never leave this machine (RFC 6761)."""
    return host.lower() == "localhost" or host.lower().endswith(".localhost")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a service that listens on `host`."""
    if is_local_name(host):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
