"""Optional static API keys: who may connect, and as which tenant."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence

from shared.errors import Unauthorised

SUBPROTOCOL = "rattil.v1"
"""The subprotocol echoed to clients that offer it; browsers add `rattil.key.<API key>` beside it, or
`rattil.key64.<API key in base64url>`."""

_KEY_PREFIX = "rattil.key."
_KEY64_PREFIX = "rattil.key64."
"""The same with the key in base64url (RFC 4648, 5): a subprotocol has no `=`, `/` or space."""


class Authenticator:
    """Compares against hashes of the configured keys, every key every time (constant time)."""

    def __init__(self, api_keys: str) -> None:
        """`api_keys`: comma-separated `key` or `tenant=key`; empty means that everybody may connect."""
        self._keys: list[tuple[str, bytes]] = []
        for entry in filter(None, (part.strip() for part in api_keys.split(","))):
            tenant, _, key = entry.rpartition("=")
            self._keys.append((tenant or "default", _digest(key)))

    @property
    def required(self) -> bool:
        return bool(self._keys)

    def tenant(
        self, headers: Mapping[str, str], query: Mapping[str, str], subprotocols: Sequence[str] = ()
    ) -> str:
        """The caller's tenant, empty when no keys are configured. Raises `Unauthorised`."""
        if not self._keys:
            return ""
        given = _digest(_presented(headers, query, subprotocols))
        found = ""
        for tenant, key in self._keys:
            if hmac.compare_digest(given, key):
                found = tenant
        if not found:
            raise Unauthorised(
                "an API key is needed: send `Authorization: Bearer <key>`, `X-API-Key`, `?token=` or the "
                f"subprotocols `{SUBPROTOCOL}, {_KEY_PREFIX}<key>`"
            )
        return found


def _presented(headers: Mapping[str, str], query: Mapping[str, str], subprotocols: Sequence[str]) -> str:
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if "x-api-key" in headers:
        return headers["x-api-key"]
    for offered in subprotocols:
        if offered.startswith(_KEY_PREFIX):
            return offered.removeprefix(_KEY_PREFIX)
        if offered.startswith(_KEY64_PREFIX):
            return _decoded(offered.removeprefix(_KEY64_PREFIX))
    return query.get("token", "")


def _decoded(key64: str) -> str:
    """The key; empty, which is never one, for what is no base64url of a text."""
    try:
        return base64.urlsafe_b64decode(key64 + "=" * (-len(key64) % 4)).decode()
    except ValueError:
        return ""


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
