"""Which pages may use the service, and by which names it may be called."""

from __future__ import annotations

import pytest

from gateway.auth.entry_policy import EntryPolicy
from shared.service.loopback import is_loopback


def policy(origins: str = "", hosts: str = "", host: str = "127.0.0.1", keyed: bool = False) -> EntryPolicy:
    return EntryPolicy.of(origins, hosts, host=host, keyed=keyed)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1:8000", True),
        ("localhost:8000", True),
        ("rattil.localhost", True),
        ("[::1]:8000", True),
        ("192.168.1.5:8000", True),
        (None, True),
        ("evil.example:8000", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("", False),
    ],
)
def test_without_keys_a_foreign_name_is_refused(host: str | None, allowed: bool) -> None:
    assert policy().allows_host(host) is allowed


def test_listed_names_are_taken_and_others_are_not_even_with_keys() -> None:
    listed = policy(hosts="rattil.example, other.example", host="0.0.0.0", keyed=True)
    assert listed.allows_host("Rattil.Example:443")
    assert not listed.allows_host("evil.example")


def test_with_keys_or_a_star_every_name_is_taken() -> None:
    assert policy(keyed=True).allows_host("any.example")
    assert policy(hosts="*").allows_host("any.example")


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        (None, "127.0.0.1:8000", True),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", True),
        ("http://localhost:3000", "127.0.0.1:8000", True),
        ("http://evil.example", "127.0.0.1:8000", False),
        ("http://127.0.0.1.evil.example", "127.0.0.1:8000", False),
        ("null", "127.0.0.1:8000", False),
        ("nonsense", None, False),
    ],
)
def test_without_keys_only_pages_of_this_machine_may_enter(
    origin: str | None, host: str, allowed: bool
) -> None:
    assert policy().allows_origin(origin, host) is allowed


def test_a_service_on_the_network_does_not_trust_pages_of_the_visitors_machine() -> None:
    assert not policy(host="10.0.0.1").allows_origin("http://localhost:3000", "10.0.0.1:8000")
    assert policy(host="10.0.0.1").allows_origin("http://10.0.0.1:8000", "10.0.0.1:8000")


def test_where_everybody_may_come_in_any_name_will_do_but_not_any_page() -> None:
    open_to_all = EntryPolicy.of("", "", host="0.0.0.0", keyed=False, any_host=True)
    assert open_to_all.allows_host("recite.example.org")
    assert open_to_all.allows_origin("https://recite.example.org", "recite.example.org")
    assert open_to_all.allows_origin("http://recite.example.org:8080", "recite.example.org")
    assert not open_to_all.allows_origin("http://recite.example.org:8080", "recite.example.org:8081")
    assert not open_to_all.allows_origin("https://evil.example", "recite.example.org")


def test_a_list_of_origins_holds_with_keys_too() -> None:
    listed = policy(origins="https://app.example/", keyed=True)
    assert listed.allows_origin("https://app.example", "api.example")
    assert not listed.allows_origin("https://evil.example", "api.example")


def test_with_keys_or_a_star_every_page_may_enter() -> None:
    assert policy(keyed=True).allows_origin("https://any.example", "api.example")
    assert policy(origins="*").allows_origin("null", "api.example")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("10.0.0.1", False),
        ("rattil", False),
    ],
)
def test_loopback_is_known(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
