"""Short-lived secrets for clients that must not know an API key: signed, so that any gateway can check them.

A secret holds its tenant, its end and what it was issued for, signed with the tenant's API key: it ends with
that key, too, and nothing has to be stored. It opens only what asks for one (`WS /v1/realtime`), and gives no
other secret.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

import msgspec

from gateway.auth.api_keys import ApiKey, parse_api_keys
from shared.errors import Unauthorised

PREFIX = "ek_"
_PURPOSE = b"rattil client secret 1"
_SIGNATURE_BYTES = hashlib.sha256().digest_size


class Grant(msgspec.Struct, frozen=True):
    """What a secret says. `expires_s`: Unix time. `session`: JSON of what a session begins with."""

    tenant: str
    expires_s: int
    session: msgspec.Raw = msgspec.Raw(b"{}")


_decoder = msgspec.json.Decoder(Grant)


class ClientSecrets:
    """Issues and reads secrets. Without API keys everybody may come in: then a signature proves nothing."""

    def __init__(self, api_keys: str) -> None:
        """`api_keys`: as `parse_api_keys` reads it, which raises `ValueError`."""
        self._keys = [_signing(one) for one in parse_api_keys(api_keys) or (ApiKey("", ""),)]

    def issue(self, grant: Grant) -> str:
        """The secret. Raises `Unauthorised` for a tenant that has no key (any more)."""
        key = next((key for tenant, key in self._keys if tenant == grant.tenant), None)
        if key is None:
            raise Unauthorised("there is no API key of this tenant any more")
        said = msgspec.json.encode(grant)
        return PREFIX + base64.urlsafe_b64encode(_signature(key, said) + said).decode().rstrip("=")

    def read(self, secret: str, now_s: float) -> Grant:
        """What it grants. Raises `Unauthorised` for one that is forged, or has ended."""
        given, said = _parts(secret)
        signed = [tenant for tenant, key in self._keys if hmac.compare_digest(_signature(key, said), given)]
        if not signed:
            raise Unauthorised("this client secret is not known here; ask for a new one")
        grant = _decoder.decode(said)
        if grant.tenant not in signed or grant.expires_s <= now_s:
            raise Unauthorised("this client secret has expired; ask for a new one")
        return grant


def _signing(entry: ApiKey) -> tuple[str, bytes]:
    return entry.tenant, hmac.digest(entry.key.encode(errors="surrogatepass"), _PURPOSE, "sha256")


def _signature(key: bytes, said: bytes) -> bytes:
    return hmac.digest(key, said, "sha256")


def _parts(secret: str) -> tuple[bytes, bytes]:
    """Signature and what is signed; both empty, which never fits, for what is no secret."""
    text = secret.removeprefix(PREFIX)
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return b"", b""
    return data[:_SIGNATURE_BYTES], data[_SIGNATURE_BYTES:]
