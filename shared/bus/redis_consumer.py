"""One consumer of one shard's segment stream: what it holds, and how it finds what it lost sight of."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from redis.exceptions import ResponseError

from shared.bus import keys, segment_entries
from shared.bus.dead_letters import bury_note, describe_undecodable, discard_entry
from shared.bus.keys import WORKER_GROUP
from shared.bus.limits import BusLimits
from shared.bus.metrics import BusMetrics
from shared.bus.ports import Claim, ClaimState, CommitOutcome
from shared.bus.redis_connections import MAX_BLOCK_MS, Shard, command
from shared.bus.redis_errors import redis_errors
from shared.bus.redis_scripts import BACKLOG, Call, LuaScript, ScriptArgument
from shared.bus.redis_sessions import COMMIT, commit_call
from shared.errors import BadRequest
from shared.ids import WorkerId
from shared.protocol import codec
from shared.protocol.segments import SegmentResult
from shared.service.logging import get_logger

_LEAVE = LuaScript("leave")
_REFRESH = LuaScript("refresh")
_LOOK_UP = LuaScript("look_up")
_FORGET_DELETED = LuaScript("forget_deleted")

_TIDY_CONSUMERS = LuaScript("tidy_consumers")

TIDY_EVERY_S = 30.0
"""How often a worker looks for consumers of workers that are gone, seconds."""

SILENT_MS = 60_000
"""A consumer that has not read for so long belongs to a dead worker: a living one reads every two seconds."""

_PENDING_PAGE = 128
"""Pending entries looked at in one call."""

Entry = tuple[bytes, dict[bytes, bytes]]

_log = get_logger(__name__)


class ShardConsumer:
    """Not for concurrent claims: one reader per shard. Commits may run beside it."""

    def __init__(
        self, shard: Shard, stream: str, worker_id: WorkerId, limits: BusLimits, metrics: BusMetrics
    ) -> None:
        self.shard = shard
        self._stream = stream
        self._consumer = str(worker_id)
        self._limits = limits
        self._undecodable = metrics.undecodable.labels("segment")
        self._held: set[str] = set()  # handed to the caller, not yet committed
        self._recover = True  # entries may be pending for this consumer that nobody here has seen
        self._cursor = "0-0"
        self._tidied_s = float("-inf")

    async def claim(self, max_items: int, block_ms: int) -> list[Claim]:
        try:
            if self._recover:
                waiting = await self._own_pending(max_items)
                if waiting:
                    return waiting
                self._recover = False
            return await self._claim_new(max_items, block_ms)
        except BaseException:
            # Also when cancelled: Redis may have delivered what nobody read.
            self._recover = True
            raise

    async def reclaim(self, min_idle_ms: int, max_items: int) -> list[Claim]:
        args = ("XAUTOCLAIM", self._stream, WORKER_GROUP, self._consumer)
        try:
            with redis_errors("reclaiming segments"):
                reply = await self._in_group(
                    *args, min_idle_ms, self._cursor, "COUNT", max_items, blocking=False
                )
        except BaseException:
            self._recover = True
            raise
        if reply is None:
            return []
        if time.monotonic() - self._tidied_s >= TIDY_EVERY_S:
            self._tidied_s = time.monotonic()
            await self.tidy(SILENT_MS)
        self._cursor = reply[0].decode()
        entries: list[Entry] = [entry for entry in reply[1] if entry[0] is not None]
        if len(entries) < len(reply[1]):
            await self._forget_deleted()
        fresh = [entry for entry in entries if entry[0].decode() not in self._held]
        return await self._to_claims(fresh, await self._deliveries(fresh))

    async def commit(self, finished: Sequence[tuple[Claim, SegmentResult]]) -> list[CommitOutcome]:
        calls: list[Call] = [
            commit_call(result, self._limits, self._stream, claim.entry_id) for claim, result in finished
        ]
        outcomes: list[CommitOutcome] = []
        with redis_errors("committing results"):
            failure: Exception | None = None
            replies = await COMMIT.run_many(self.shard.commands, calls)
            for (claim, _result), reply in zip(finished, replies, strict=True):
                if isinstance(reply, Exception):
                    failure = reply
                    continue
                self._held.discard(claim.entry_id)
                outcomes.append(CommitOutcome(bool(reply[0]), int(reply[1])))
            if failure is not None:
                raise failure
        return outcomes

    async def look_up(self, claims: Sequence[Claim]) -> list[ClaimState]:
        calls: list[Call] = []
        for claim in claims:
            segment = claim.segment
            script_keys = [keys.session(segment.session_id), keys.session_offsets(segment.session_id)]
            calls.append((script_keys, [segment.epoch, segment.seq, claim.entry_id]))
        with redis_errors("looking up segments"):
            replies = await _LOOK_UP.run_many(self.shard.commands, calls)
            for reply in replies:
                if isinstance(reply, Exception):
                    raise reply
        return [ClaimState(bool(wanted), int(age_ms)) for wanted, age_ms in replies]

    async def refresh(self, entry_ids: Sequence[str]) -> None:
        with redis_errors("refreshing claims"):
            await self._run_in_group(_REFRESH, [WORKER_GROUP, self._consumer, *entry_ids])

    async def tidy(self, silent_ms: int) -> int:
        """Remove the consumers of dead workers, once all they held has been taken over. Returns how many."""
        with redis_errors("removing dead consumers"):
            removed = await self._run_in_group(_TIDY_CONSUMERS, [WORKER_GROUP, self._consumer, silent_ms])
        return int(removed or 0)

    async def leave(self) -> None:
        with redis_errors("leaving the worker group"):
            await self._run_in_group(_LEAVE, [WORKER_GROUP, self._consumer])

    async def backlog(self) -> tuple[int, int]:
        """Length of the stream and age of its oldest entry, ms."""
        with redis_errors("measuring the backlog"):
            length, age_ms = await BACKLOG.run(self.shard.commands, [self._stream])
        return int(length), int(age_ms)

    async def ensure_group(self) -> None:
        """From "0", not "$": segments pushed before the first worker came are work, too."""
        args = ("XGROUP CREATE", self._stream, WORKER_GROUP, "0", "MKSTREAM")
        with redis_errors("creating the worker group"):
            try:
                await command(self.shard.commands, *args)
            except ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise
                return
        self._held.clear()  # a new group has nothing pending

    async def _claim_new(self, max_items: int, block_ms: int) -> list[Claim]:
        waiting = ("BLOCK", min(block_ms, MAX_BLOCK_MS)) if block_ms > 0 else ()
        args = ("XREADGROUP", "GROUP", WORKER_GROUP, self._consumer, "COUNT", max_items)
        with redis_errors("claiming segments"):
            reply = await self._in_group(*args, *waiting, "STREAMS", self._stream, ">", blocking=True)
        return await self._to_claims(reply[0][1] if reply else [], {})

    async def _own_pending(self, max_items: int) -> list[Claim]:
        """Entries delivered to this consumer but unknown here: after a restart or an error."""
        args = ("XREADGROUP", "GROUP", WORKER_GROUP, self._consumer, "COUNT", max_items + len(self._held))
        with redis_errors("reading own pending segments"):
            reply = await self._in_group(*args, "STREAMS", self._stream, "0", blocking=False)
        entries: list[Entry] = reply[0][1] if reply else []
        unseen = [entry for entry in entries if entry[0].decode() not in self._held]
        if any(not fields for _entry_id, fields in unseen):
            await self._forget_deleted()
        unseen = [entry for entry in unseen if entry[1]][:max_items]
        return await self._to_claims(unseen, await self._deliveries(unseen))

    async def _to_claims(self, entries: Sequence[Entry], deliveries: dict[str, int]) -> list[Claim]:
        """Decode; what cannot be decoded is buried and leaves the stream, its neighbours go on."""
        claims: list[Claim] = []
        for raw_id, fields in entries:
            entry_id = raw_id.decode()
            try:
                segment = segment_entries.claimed(fields)
            except BadRequest as error:
                await self._discard(entry_id, fields, error.message)
                continue
            self._held.add(entry_id)
            claims.append(Claim(self.shard.index, entry_id, deliveries.get(entry_id, 1), segment))
        return claims

    async def _discard(self, entry_id: str, fields: dict[bytes, bytes], why: str) -> None:
        """Bury it and, where its session can still be read, tell the session at once."""
        self._undecodable.inc()
        _log.error("segment_undecodable", shard=self.shard.index, entry_id=entry_id, why=why)
        note = describe_undecodable(entry_id, sum(map(len, fields.values())), why)
        identity = codec.decode_identity(fields.get(segment_entries.ENVELOPE, b""))
        with redis_errors("burying an undecodable segment"):
            if identity is None:
                await discard_entry(
                    self.shard.commands, self._stream, WORKER_GROUP, entry_id, note, self._limits
                )
                return
            await bury_note(self.shard.commands, note, self._limits)
            call = commit_call(_unreadable(identity, why), self._limits, self._stream, entry_id)
            await COMMIT.run(self.shard.commands, *call)

    async def _deliveries(self, entries: Sequence[Entry]) -> dict[str, int]:
        """How often each entry was delivered, this time included."""
        if not entries:
            return {}
        first, last = entries[0][0], entries[-1][0]
        count = max(_PENDING_PAGE, len(entries) + len(self._held))
        args = ("XPENDING", self._stream, WORKER_GROUP, first, last, count, self._consumer)
        with redis_errors("reading delivery counts"):
            page = await self._in_group(*args, blocking=False, parse_detail=True)
        return {row["message_id"].decode(): int(row["times_delivered"]) for row in page or ()}

    async def _forget_deleted(self) -> None:
        with redis_errors("forgetting deleted segments"):
            await self._run_in_group(_FORGET_DELETED, [WORKER_GROUP, self._consumer, _PENDING_PAGE])

    async def _in_group(self, *args: str | bytes | int, blocking: bool, **parsing: bool) -> Any:
        """Run a group command; None after making a group that was missing (Redis came back empty)."""
        try:
            return await command(self.shard.blocking if blocking else self.shard.commands, *args, **parsing)
        except ResponseError as error:
            if not _group_is_gone(error):
                raise
        await self.ensure_group()
        return None

    async def _run_in_group(self, script: LuaScript, args: Sequence[ScriptArgument]) -> Any:
        """Run a script of the group; a group that is gone has nothing for it to do (None)."""
        try:
            return await script.run(self.shard.commands, [self._stream], args)
        except ResponseError as error:
            if not _group_is_gone(error):
                raise
        return None


def _unreadable(identity: codec.SegmentIdentity, why: str) -> SegmentResult:
    return SegmentResult(
        session_id=identity.session_id,
        connection_id=identity.connection_id,
        epoch=identity.epoch,
        seq=identity.seq,
        start_sample=identity.start_sample,
        samples=identity.samples,
        trace_id=identity.trace_id,
        outcome="error",
        code=BadRequest.code,
        message=f"a worker could not read this part ({why})",
    )


def _group_is_gone(error: ResponseError) -> bool:
    """Redis came back empty or was wiped; a blocked read may hear of the stream's end instead."""
    return any(mark in str(error) for mark in ("NOGROUP", "UNBLOCKED"))
