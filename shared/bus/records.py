"""A session record as the fields of a Redis hash, and back."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from shared.bus.ports import SessionRecord
from shared.errors import StateLost

_TEXT = ("session_id", "connection_id", "epoch", "protocol", "subject", "pool", "tenant")
_STORED_AS = {"subject": "passage"}
"""Fields whose name in Redis is an older one: other versions read it, and so does `take_over.lua`."""
_NUMBERS = ("created_ms", "safe_sample", "next_seq", "core_seq", "v")
RECORD_VERSION = 1
_LATER_NUMBERS = ("generation",)
"""Fields that builds before them do not write: 0 there. Adding one needs no new version."""


def to_fields(record: SessionRecord) -> list[str | bytes | int]:
    """Alternating names and values: readable with `redis-cli HGETALL`, except for `core`."""
    fields: list[str | bytes | int] = []
    for name in (*_TEXT, *_NUMBERS, *_LATER_NUMBERS):
        fields += [_STORED_AS.get(name, name), getattr(record, name)]
    return [*fields, "core", record.core, "options", record.options, "ended", int(record.ended)]


def progress(record: SessionRecord) -> tuple[int, int, bytes, int, int]:
    """What changes within an epoch, apart from the owner, as `push.lua` takes it."""
    return record.safe_sample, record.next_seq, record.core, record.core_seq, int(record.ended)


def from_fields(fields: Mapping[bytes, bytes]) -> SessionRecord:
    """Raises `StateLost` if the hash is no record that this version can restore."""
    try:
        values: dict[str, object] = {
            name: fields[_STORED_AS.get(name, name).encode()].decode() for name in _TEXT
        }
        values |= {name: int(fields[name.encode()]) for name in _NUMBERS}
        values |= {name: int(fields.get(name.encode(), b"0")) for name in _LATER_NUMBERS}
        values |= {"core": fields[b"core"], "ended": fields[b"ended"] == b"1"}
        values["options"] = fields.get(b"options", b"")
        record = msgspec.convert(values, SessionRecord)
    except (KeyError, ValueError) as error:
        raise StateLost(f"the stored session cannot be read ({error!r}): start it anew") from error
    if record.v != RECORD_VERSION:
        raise StateLost(f"the stored session has version {record.v}, not {RECORD_VERSION}: start it anew")
    return record
