"""The core's saved state."""

from __future__ import annotations

import pytest

from gateway.session.snapshot import decode_snapshot
from shared.errors import (
    StateLost,
)


@pytest.mark.parametrize("data", [b"", b"garbage", b"\x91\x01"])
def test_a_damaged_snapshot_is_lost_state(data: bytes) -> None:
    with pytest.raises(StateLost):
        decode_snapshot(data)
