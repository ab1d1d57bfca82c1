"""Client secrets: signed with the tenant's key, for a time, and for nobody else."""

from __future__ import annotations

import msgspec
import pytest

from gateway.auth.client_secrets import PREFIX, ClientSecrets, Grant
from shared.errors import Unauthorised

KEYS = "school=one,mosque=two"
GRANT = Grant("school", 1000, msgspec.Raw(b'{"type":"transcription"}'))


def test_a_secret_says_what_it_was_issued_for_at_any_gateway() -> None:
    secret = ClientSecrets(KEYS).issue(GRANT)
    assert secret.startswith(PREFIX)
    assert set(secret) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
    found = ClientSecrets("mosque=two,school=one").read(secret, 999.9)
    assert (found.tenant, found.expires_s, bytes(found.session)) == ("school", 1000, bytes(GRANT.session))


def test_it_ends_in_time_and_with_its_key() -> None:
    secret = ClientSecrets(KEYS).issue(GRANT)
    with pytest.raises(Unauthorised, match="expired"):
        ClientSecrets(KEYS).read(secret, 1000)
    with pytest.raises(Unauthorised, match="not known"):
        ClientSecrets("school=another,mosque=two").read(secret, 0)


def test_nobody_makes_one_himself() -> None:
    secrets = ClientSecrets(KEYS)
    secret = secrets.issue(GRANT)
    forged = [
        secret[:place] + ("A" if secret[place] != "A" else "B") + secret[place + 1 :]
        for place in range(3, 60)
    ]
    for wrong in (
        *forged,
        PREFIX,
        "ek_AAAA",
        "ek_é",
        "ek_" + "A" * 200,
        ClientSecrets("").issue(Grant("", 1000)),
    ):
        with pytest.raises(Unauthorised):
            secrets.read(wrong, 0)


def test_a_tenant_cannot_speak_for_another_one() -> None:
    """Its own key signs, whatever the secret says."""
    mosque = ClientSecrets("school=two").issue(GRANT)  # signed with the mosque's key, in the school's name
    with pytest.raises(Unauthorised):
        ClientSecrets(KEYS).read(mosque, 0)
    with pytest.raises(Unauthorised):
        ClientSecrets(KEYS).issue(Grant("nobody", 1000))
