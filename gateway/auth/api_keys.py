"""Optional static API keys: who may connect, and as which tenant."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from shared.errors import Unauthorised

SUBPROTOCOL = "rattil.v1"
"""The subprotocol echoed to clients that offer it; browsers add `rattil.key.<API key>` beside it, or
`rattil.key64.<API key in base64url>`."""

DEFAULT_TENANT = "default"
"""The tenant of a key that names none."""

_KEY_PREFIX = "rattil.key."
_KEY64_PREFIX = "rattil.key64."
"""The same with the key in base64url (RFC 4648, 5): a subprotocol has no `=`, `/` or space."""

_OPENAI_PREFIX = "openai-insecure-api-key."
"""The same as OpenAI's clients in browsers write it, beside the subprotocol `realtime`."""
_OPENAI_SUBPROTOCOL = "realtime"

_SCHEMES = frozenset({"bearer", "token"})
"""What stands before a key in `Authorization` (`Token KEY`), and as a subprotocol of its own (`token`)."""

_ENTRY = re.compile(
    r"""\s* (?: (?P<tenant>[^",=]*?) \s* (?P<equals>=) \s* )?   # tenant=
        (?: "(?P<quoted>[^"]*)" | (?P<plain>[^",]*?) ) \s* (?: , | $ )""",
    re.VERBOSE,
)
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_MAX_KEY_CHARS = 512

_HOW = "write tenant=key, or a key alone; a key alone that contains = or , stands in double quotation marks"


class ApiKey(NamedTuple):
    """One key and the tenant that its holder acts for."""

    tenant: str
    key: str


def parse_api_keys(text: str) -> tuple[ApiKey, ...]:
    """The keys of the setting `API_KEYS`; none only if it is empty.

    Entries are separated by commas. Each is `tenant=key` or `key` (tenant `default`); the first `=` ends the
    tenant's name, so the key after it may contain more. A key that stands alone and contains `=`, and any
    key with a comma, is written in double quotation marks. Raises `ValueError` with a sentence that names
    the entry by its number and never shows a key.
    """
    if not text:
        return ()
    keys: list[ApiKey] = []
    for number, entry in enumerate(_entries(text), start=1):
        try:
            keys.append(_read_entry(entry))
        except ValueError as error:
            raise ValueError(f"entry {number}: {error}; {_HOW}") from None
    _refuse_doubles(keys)
    return tuple(keys)


def _entries(text: str) -> list[re.Match[str]]:
    """Every entry; one more, empty, where the text ends with a comma."""
    found: list[re.Match[str]] = []
    at = 0
    while True:
        match = _ENTRY.match(text, at)
        if match is None:
            raise ValueError(f"entry {len(found) + 1}: a quotation mark in a wrong place; {_HOW}")
        found.append(match)
        at = match.end()
        if at == len(text) and not match.group().endswith(","):
            return found


def _read_entry(entry: re.Match[str]) -> ApiKey:
    named, quoted = entry["equals"] is not None, entry["quoted"] is not None
    tenant = entry["tenant"] if named else DEFAULT_TENANT
    key = entry["quoted"] if quoted else entry["plain"]
    if not named and not key:
        raise ValueError("it is empty")
    if _TENANT.fullmatch(tenant) is None:
        raise ValueError("what stands before = is no tenant name (1 to 64 of A-Z a-z 0-9 _ . -)")
    if not key.strip("=" if not quoted else ""):
        raise ValueError("there is no key after =")
    if key.startswith("=") and not quoted:
        raise ValueError("the key begins with =")
    if len(key) > _MAX_KEY_CHARS or not key.isprintable():
        raise ValueError(f"a key is 1 to {_MAX_KEY_CHARS} printable characters")
    return ApiKey(tenant, key)


def _refuse_doubles(keys: Sequence[ApiKey]) -> None:
    for number, entry in enumerate(keys, start=1):
        before = keys[: number - 1]
        if any(entry.key == other.key for other in before):
            raise ValueError(f"entry {number}: an entry before it has the same key; every key is used once")
        if entry.tenant != DEFAULT_TENANT and any(entry.tenant == other.tenant for other in before):
            raise ValueError(f"entry {number}: an entry before it has the same tenant; use each name once")


class Authenticator:
    """Compares against hashes of the configured keys, every key every time (constant time)."""

    def __init__(self, api_keys: str) -> None:
        """`api_keys`: as `parse_api_keys` reads it, which raises `ValueError`; empty lets everybody in."""
        self._keys = [(tenant, _digest(key)) for tenant, key in parse_api_keys(api_keys)]

    @property
    def required(self) -> bool:
        return bool(self._keys)

    @property
    def tenants(self) -> list[str]:
        """Whose keys are known, in the order of the setting."""
        return list(dict.fromkeys(tenant for tenant, _ in self._keys))

    def tenant(
        self, headers: Mapping[str, str], query: Mapping[str, str], subprotocols: Sequence[str] = ()
    ) -> str:
        """The caller's tenant, empty when no keys are configured. Raises `Unauthorised`."""
        if not self._keys:
            return ""
        presented = presented_key(headers, query, subprotocols)
        given = _digest(presented)
        found = ""
        for tenant, key in self._keys:
            if hmac.compare_digest(given, key):
                found = tenant
        if found:
            return found
        if presented:
            raise Unauthorised("this API key is not known here; check it, or ask the operator for one")
        raise Unauthorised(
            "an API key is needed: send `Authorization: Bearer <key>`, `X-API-Key`, `?token=<key>` or the "
            f"subprotocols `{SUBPROTOCOL}, {_KEY_PREFIX}<key>`"
        )


def chosen_subprotocol(offered: Sequence[str]) -> str | None:
    """The one to answer with of those that a client offers: never one that holds a key."""
    for known in (SUBPROTOCOL, _OPENAI_SUBPROTOCOL):
        if known in offered:
            return known
    return offered[0] if offered and offered[0].lower() in _SCHEMES else None


def presented_key(headers: Mapping[str, str], query: Mapping[str, str], subprotocols: Sequence[str]) -> str:
    """What the caller presents as a key, in whichever way; empty if nothing."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() in _SCHEMES:
        return credentials.strip()
    if "x-api-key" in headers:
        return headers["x-api-key"]
    for offered in subprotocols:
        if offered.startswith(_KEY_PREFIX):
            return offered.removeprefix(_KEY_PREFIX)
        if offered.startswith(_OPENAI_PREFIX):
            return offered.removeprefix(_OPENAI_PREFIX)
        if offered.startswith(_KEY64_PREFIX):
            return _decoded(offered.removeprefix(_KEY64_PREFIX))
    if len(subprotocols) == 2 and subprotocols[0].lower() in _SCHEMES:
        return subprotocols[1]
    return query.get("token", "")


def _decoded(key64: str) -> str:
    """The key; empty, which is never one, for what is no base64url of a text."""
    try:
        return base64.urlsafe_b64decode(key64 + "=" * (-len(key64) % 4)).decode()
    except ValueError:
        return ""


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()
