"""Every Redis key, in one place, with its type, lifetime and content.

Session keys share the tag `{<session_id>}`, which shows what belongs together. A Redis Cluster is not
supported: scripts touch the keys of a session and those of its shard.
"""

from __future__ import annotations

from shared.ids import ConnectionId, PoolName, SessionId, WorkerId

DEAD_TTL_S = 7 * 24 * 3600
WORKER_GROUP = "workers"
"""The one consumer group of every segment stream."""


def session(session_id: SessionId) -> str:
    """Hash: everything a gateway needs to go on with a session, plus `epoch` and `connection_id`."""
    return f"streaming:session:{{{session_id}}}"


def session_audio(session_id: SessionId) -> str:
    """Stream: the session's audio chunks, compressed, bounded in bytes (`STORE_AUDIO`)."""
    return f"streaming:session:{{{session_id}}}:audio"


def session_results(session_id: SessionId) -> str:
    """Stream, capped: the truth about results; entry id `<offset>-0`, offsets restart per epoch."""
    return f"streaming:session:{{{session_id}}}:results"


def session_offsets(session_id: SessionId) -> str:
    """Hash: seq -> offset of its result; what makes a commit idempotent."""
    return f"streaming:session:{{{session_id}}}:offsets"


def segments(pool: PoolName) -> str:
    """Stream: segments waiting or in work. Entries leave by ack + delete, never by trimming."""
    return f"asr:segments:{pool}"


DEAD = "asr:dead"
"""Stream, capped, 7 days: poison segments: what, why, how often tried."""


def results_channel(connection_id: ConnectionId) -> str:
    """Pub/sub channel of one live connection: the fast path; the result stream is the truth."""
    return f"results:{connection_id}"


WORKERS = "router:workers"
"""Sorted set: worker id by time of last heartbeat (ms)."""

ACTIVE_SESSIONS = "router:sessions:active"
"""Sorted set: session id by lease expiry (ms)."""


def worker(worker_id: WorkerId) -> str:
    """Hash, 3 heartbeats: the worker's last report."""
    return f"router:worker:{worker_id}"


def worker_sessions(worker_id: WorkerId) -> str:
    """Set: sessions leased to this worker."""
    return f"router:worker:{worker_id}:sessions"


def free_slots(pool: PoolName) -> str:
    """Sorted set: worker id by number of free session slots; allocation reads its top, not all."""
    return f"router:pool:{pool}:free"


LEASES = "router:leases"
"""Hash: session id -> its lease as JSON (worker id, empty for an orphan; pool; pool asked for; holder;
tenant; whether its holder has left and the slot is only kept)."""

FORMER_HOLDERS = "router:former-holders"
"""Sorted set: session id, a space and one who held its lease, by the time until which that is remembered
(ms): a renewal of theirs that was on its way does not make the lease again."""

EXPIRY = "router:expiry"
"""Hash: when a router last looked for expired leases (ms), and until when none may expire (ms)."""

KNOWN_WORKERS = "router:known"
"""Hash: worker id -> pool, for every worker that may hold leases; what the reaper looks through."""

POOLS = "router:pools"
"""Set: every pool a worker has ever reported."""

REFRESHED = "router:refreshed"
"""String, one refresh interval: some router has just refreshed, the others need not."""


def orphans(pool: PoolName) -> str:
    """Set: sessions whose worker died and which no other worker had a slot for yet."""
    return f"router:pool:{pool}:orphans"


def usage(day: str, tenant: str) -> str:
    """Hash, control Redis, `USAGE_DAYS`: `<pool>|samples`, `|sessions`, `|words` of a tenant on a day."""
    return f"usage:{day}:{tenant}"


def usage_batch(name: str, tenant: str) -> str:
    """String, control Redis, an hour: this batch of counts has been added."""
    return f"usage:batch:{name}:{tenant}"


UPLOAD_TTL_S = 180
"""Life of an uploaded recording beyond the time that its job may take: for its retries."""


def upload(upload_id: str) -> str:
    """String, control Redis: PCM16 mono 16 kHz of one upload, waiting for its job."""
    return f"asr:upload:{upload_id}"


def upload_heard(upload_id: str) -> str:
    """Stream, control Redis, as long as its upload: what a transcribe job has heard so far. Entry `<n>-0` is
    stretch n, from 1 on, so that a job that runs again can tell none of them differently."""
    return f"asr:upload:{upload_id}:heard"
