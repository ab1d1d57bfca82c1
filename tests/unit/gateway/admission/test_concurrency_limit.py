"""Places for costly requests: in all, for one tenant, from one address."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.concurrency_limit import ConcurrencyLimit, TooManyUploads
from shared.addresses import network_of
from shared.errors import NoCapacity


def test_a_tenant_and_an_address_leave_places_for_others() -> None:
    limit = ConcurrencyLimit(total=4, per_tenant=2, per_address=3)
    with ExitStack() as held:
        held.enter_context(limit.place("school", "192.0.2.1"))
        held.enter_context(limit.place("school", "192.0.2.2"))
        with pytest.raises(TooManyUploads, match="your tenant"):
            held.enter_context(limit.place("school", "192.0.2.3"))
        held.enter_context(limit.place("other", "192.0.2.1"))
        held.enter_context(limit.place("third", "192.0.2.1"))
        with pytest.raises(TooManyUploads, match="your address"):
            held.enter_context(limit.place("fourth", "192.0.2.1"))
        with pytest.raises(NoCapacity, match="4 recordings") as full:
            held.enter_context(limit.place("fourth", "192.0.2.9"))
        assert full.value.code == "no_capacity"
        assert limit.in_work == 4
    assert limit.in_work == 0


def test_a_failing_upload_gives_its_place_back() -> None:
    limit = ConcurrencyLimit(total=1, per_tenant=1, per_address=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), limit.place("a", "192.0.2.1"):
            raise ZeroDivisionError
    assert limit.in_work == 0


def test_callers_without_tenant_or_address_are_only_bounded_in_all() -> None:
    limit = ConcurrencyLimit(total=3, per_tenant=1, per_address=1)
    with limit.place("", ""), limit.place("", ""), limit.place("", ""):
        assert limit.in_work == 3


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_one_subscriber_is_one_network(address: str, network: str) -> None:
    assert network_of(address) == network


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 3)), max_size=60))
def test_no_bound_is_ever_passed_and_nothing_is_kept(steps: list[tuple[bool, int, int]]) -> None:
    limit = ConcurrencyLimit(total=5, per_tenant=2, per_address=3)
    held: list[tuple[str, str, ExitStack]] = []
    for take, tenant, address in steps:
        if not take and held:
            held.pop()[2].close()
            continue
        stack, who = ExitStack(), (f"t{tenant}", f"192.0.2.{address}")
        try:
            stack.enter_context(limit.place(*who))
        except NoCapacity:
            full = len(held) == 5
            of_tenant = sum(one[0] == who[0] for one in held) == 2
            assert full or of_tenant or sum(one[1] == who[1] for one in held) == 3
        else:
            held.append((*who, stack))
        assert limit.in_work == len(held) <= 5
    for *_, stack in held:
        stack.close()
    assert limit.in_work == 0
    assert not limit._tenants
    assert not limit._networks
