"""Keys between our own services: who may call a service that listens for other machines."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping

from shared.errors import Unauthorised

_KEY = re.compile(r"[A-Za-z0-9._~+/=-]{16,256}")


class ServiceKeys:
    """The keys that open a service; none: it is open. Compared as hashes, every key every time."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self._digests = tuple(_digest(key) for key in keys)

    @property
    def required(self) -> bool:
        return bool(self._digests)

    def check(self, headers: Mapping[str, str]) -> None:
        """Raises `Unauthorised` unless `Authorization: Bearer <key>` is there with a known key."""
        if not self._digests:
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        digest = _digest(given.strip())
        known = [hmac.compare_digest(digest, key) for key in self._digests]
        if scheme.lower() == "bearer" and any(known):
            return
        what = "this key is not known" if given else "a key is needed"
        raise Unauthorised(f"{what}; send Authorization: Bearer <key>, with one of ROUTER_API_KEYS")


def parse_service_keys(text: str) -> tuple[str, ...]:
    """Comma-separated keys. Raises `ValueError`, which never shows a key, for any that is not one."""
    if not text.strip():
        return ()
    keys = tuple(part.strip() for part in text.split(","))
    for position, key in enumerate(keys, 1):
        if _KEY.fullmatch(key) is None:
            raise ValueError(
                f"key {position} of {len(keys)} is not 16 to 256 letters, digits or . _ ~ + / = - "
                "(several keys are separated by commas); make one with: openssl rand -hex 24"
            )
    return keys


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
