"""Who may come in."""

from __future__ import annotations

import pytest

from gateway.auth.api_keys import Authenticator, chosen_subprotocol, parse_api_keys
from shared.errors import Unauthorised


@pytest.mark.parametrize(
    ("headers", "query", "subprotocols", "tenant"),
    [
        ({"authorization": "Bearer k1"}, {}, (), "acme"),
        ({"x-api-key": "k2"}, {}, (), "default"),
        ({}, {"token": "k1"}, (), "acme"),
        ({}, {}, ("rattil.v1", "rattil.key.k2"), "default"),
        ({}, {}, ("rattil.v1", "rattil.key64.azI"), "default"),
        ({"authorization": "Token k1"}, {}, (), "acme"),
        ({}, {}, ("token", "k2"), "default"),
        ({}, {}, ("bearer", "k1"), "acme"),
        ({}, {}, ("rattil.v1", "rattil.key64.cy90PQ"), "slashed"),
    ],
)
def test_keys_are_found_wherever_clients_can_put_them(
    headers: dict[str, str], query: dict[str, str], subprotocols: tuple[str, ...], tenant: str
) -> None:
    assert Authenticator("acme=k1, k2, slashed=s/t=").tenant(headers, query, subprotocols) == tenant


@pytest.mark.parametrize("key", ["", "k3", "K1", "acme=k1", "k1 "])
def test_any_other_key_is_refused(key: str) -> None:
    with pytest.raises(Unauthorised, match="API key"):
        Authenticator("acme=k1,k2").tenant({}, {"token": key})


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [((), None), (("token", "k1"), "token"), (("rattil.v1", "rattil.key.k1"), "rattil.v1"), (("k1",), None)],
)
def test_no_key_is_sent_back(offered: tuple[str, ...], chosen: str | None) -> None:
    assert chosen_subprotocol(offered) == chosen


@pytest.mark.parametrize("key64", ["", "a", "====", "azI%", "_____w", "é"])
def test_a_key_that_cannot_be_decoded_is_refused(key64: str) -> None:
    with pytest.raises(Unauthorised):
        Authenticator("acme=k1,k2").tenant({}, {}, ("rattil.v1", f"rattil.key64.{key64}"))


def test_without_keys_everybody_may_come_in() -> None:
    auth = Authenticator("")
    assert auth.tenant({}, {}) == ""
    assert not auth.required


@pytest.mark.parametrize(
    ("setting", "entries"),
    [
        ("k1", [("default", "k1")]),
        ("acme=k1, k2 ,k3", [("acme", "k1"), ("default", "k2"), ("default", "k3")]),
        ('"c2VjcmV0LWtleTE="', [("default", "c2VjcmV0LWtleTE=")]),
        ("school=c2VjcmV0LWtleTE=", [("school", "c2VjcmV0LWtleTE=")]),
        ("abc=d=e=f", [("abc", "d=e=f")]),
        ('"abc=def"', [("default", "abc=def")]),
        ('a="x,y",b="=z"', [("a", "x,y"), ("b", "=z")]),
        ("", []),
    ],
)
def test_entries_are_read_as_documented(setting: str, entries: list[tuple[str, str]]) -> None:
    assert list(parse_api_keys(setting)) == entries


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("c2VjcmV0LWtleTE=", "entry 1: there is no key after ="),
        ("c2VjcmV0==", "entry 1: there is no key after ="),
        ("acme=", "entry 1: there is no key after ="),
        ("acme=,beta=s3cretkey", "entry 1: there is no key after ="),
        ("s3cretkey,", "entry 2: it is empty"),
        (" , ,", "entry 1: it is empty"),
        (" ", "entry 1: it is empty"),
        ('""', "entry 1: it is empty"),
        ("acme corp=s3cretkey", "entry 1: what stands before = is no tenant name"),
        ("=s3cretkey", "entry 1: what stands before = is no tenant name"),
        ("acme==s3cretkey", "entry 1: the key begins with ="),
        ("acme=s3cret\nkey", "entry 1: a key is 1 to 512 printable"),
        ("acme=s3cret" + "x" * 512, "entry 1: a key is 1 to 512 printable"),
        ('acme="s3cretkey', "entry 1: a quotation mark"),
        ('"s3cretkey"x', "entry 1: a quotation mark"),
        ("acme=s3cretkey,acme=k2", "entry 2: an entry before it has the same tenant"),
        ("acme=s3cretkey,beta=s3cretkey", "entry 2: an entry before it has the same key"),
    ],
)
def test_what_cannot_be_understood_is_refused_without_showing_a_key(setting: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as refused:
        parse_api_keys(setting)
    assert "s3cret" not in str(refused.value)
    assert "c2VjcmV0" not in str(refused.value)


def test_a_wrong_key_is_not_called_a_missing_one() -> None:
    auth = Authenticator("k1")
    with pytest.raises(Unauthorised, match="not known"):
        auth.tenant({"x-api-key": "k2"}, {})
    with pytest.raises(Unauthorised, match="is needed"):
        auth.tenant({}, {})
