"""Who may come in."""

from __future__ import annotations

import pytest

from gateway.auth.api_keys import Authenticator
from shared.errors import Unauthorised


@pytest.mark.parametrize(
    ("headers", "query", "subprotocols", "tenant"),
    [
        ({"authorization": "Bearer k1"}, {}, (), "acme"),
        ({"x-api-key": "k2"}, {}, (), "default"),
        ({}, {"token": "k1"}, (), "acme"),
        ({}, {}, ("rattil.v1", "rattil.key.k2"), "default"),
        ({}, {}, ("rattil.v1", "rattil.key64.azI"), "default"),
        ({}, {}, ("rattil.v1", "rattil.key64.cyAvIHQ"), "spaced"),
    ],
)
def test_keys_are_found_wherever_clients_can_put_them(
    headers: dict[str, str], query: dict[str, str], subprotocols: tuple[str, ...], tenant: str
) -> None:
    assert Authenticator("acme=k1, k2, spaced=s / t").tenant(headers, query, subprotocols) == tenant


@pytest.mark.parametrize("key", ["", "k3", "K1", "acme=k1", "k1 "])
def test_any_other_key_is_refused(key: str) -> None:
    with pytest.raises(Unauthorised, match="API key"):
        Authenticator("acme=k1,k2").tenant({}, {"token": key})


@pytest.mark.parametrize("key64", ["", "a", "====", "azI%", "_____w", "é"])
def test_a_key_that_cannot_be_decoded_is_refused(key64: str) -> None:
    with pytest.raises(Unauthorised):
        Authenticator("acme=k1,k2").tenant({}, {}, ("rattil.v1", f"rattil.key64.{key64}"))


def test_without_keys_everybody_may_come_in() -> None:
    auth = Authenticator("")
    assert auth.tenant({}, {}) == ""
    assert not auth.required
