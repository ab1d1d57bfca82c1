"""`asr:dead`: what is remembered of segments that could not be worked on. Never any audio."""

from __future__ import annotations

from redis.asyncio import Redis

from shared.bus.keys import DEAD, DEAD_TTL_S
from shared.bus.limits import BusLimits
from shared.bus.ports import Claim
from shared.bus.redis_connections import command, execute, queue_command
from shared.ids import short_id

_MAX_TEXT = 500
"""Characters kept of a reason: it may quote a library's error."""

Note = dict[str, str | int]


def describe(claim: Claim, reason: str) -> Note:
    """What, why, how often tried. The recitation is the reciter's, so no audio is kept."""
    segment = claim.segment
    return {
        "reason": reason[:_MAX_TEXT],
        "deliveries": claim.deliveries,
        "session": short_id(segment.session_id),
        "epoch": segment.epoch,
        "seq": segment.seq,
        "pool": segment.pool,
        "start_sample": segment.start_sample,
        "samples": segment.samples,
        "trace_id": segment.trace_id,
        "created_ms": segment.created_ms,
        "entry_id": claim.entry_id,
    }


def describe_undecodable(entry_id: str, size: int, why: str) -> Note:
    """The same for bytes that are no segment; `size` in bytes."""
    return {"reason": f"undecodable: {why}"[:_MAX_TEXT], "entry_id": entry_id, "bytes": size}


async def bury_note(client: Redis, note: Note, limits: BusLimits) -> None:
    """Append a note; the oldest of too many go. Redis errors come out unchanged."""
    fields = [part for name, value in note.items() for part in (name, value)]
    async with client.pipeline(transaction=True) as pipe:
        queue_command(pipe, "XADD", DEAD, "MAXLEN", "~", limits.max_dead, "*", *fields)
        queue_command(pipe, "EXPIRE", DEAD, DEAD_TTL_S)
        await execute(pipe)


async def discard_entry(
    client: Redis, stream: str, group: str, entry_id: str, note: Note, limits: BusLimits
) -> None:
    """Bury an entry that nobody can answer, then take it out of the stream."""
    await bury_note(client, note, limits)
    await command(client, "XACK", stream, group, entry_id)
    await command(client, "XDEL", stream, entry_id)
