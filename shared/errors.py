"""The errors of the system: few, named, each with a code for machines and a sentence for people."""

from __future__ import annotations

from typing import ClassVar

from shared.redaction import without_addresses


class RattilError(Exception):
    """Root of the tree. `code` is stable and documented; `retryable` says whether trying again helps.

    `message` is for logs and may name other services; `for_client` is what may be told outside. A class with
    `told` has one sentence for all clients.
    """

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False
    told: ClassVar[str] = ""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def for_client(self) -> str:
        """The sentence for clients: without addresses of other services and without credentials."""
        return self.told or without_addresses(self.message)


# -- what a caller got wrong ---------------------------------------------------------------------
class BadRequest(RattilError):
    """The input cannot be understood; sending it again unchanged will fail again."""

    code = "bad_request"


class UnknownVerse(BadRequest):
    """No such sura or verse in the Quran (114 suras, 6,236 verses)."""

    code = "unknown_verse"


class UnknownSession(BadRequest):
    """No such session, or it belongs to another tenant, which is the same to the caller."""

    code = "unknown_session"


class UnknownJob(BadRequest):
    """No such job, or it belongs to another tenant, which is the same to the caller."""

    code = "unknown_job"


class BadAudio(BadRequest):
    """The audio is empty, too long, or in a format that cannot be decoded."""

    code = "bad_audio"


class TooLarge(BadRequest):
    """The request body is larger than the service accepts."""

    code = "too_large"


class UploadTooSlow(BadRequest):
    """The request body arrives more slowly than the service waits."""

    code = "upload_too_slow"


class BadContentType(BadRequest):
    """The request body is declared as another type than the one that is understood there."""

    code = "bad_content_type"


class UnsupportedCodec(BadRequest):
    """A segment comes in a codec that this worker or its model does not take."""

    code = "unsupported_codec"


class Unauthorised(RattilError):
    """No API key, or one that is not known."""

    code = "unauthorised"


class NotFound(RattilError):
    """What is asked for does not exist (any more)."""

    code = "not_found"


class Conflict(RattilError):
    """What is asked for contradicts what is; asking again unchanged helps only once that has changed."""

    code = "conflict"


class LeaseHeld(Conflict):
    """The session holds a lease that belongs to another connection, or to another tenant."""

    code = "lease_held"


# -- what the system cannot do right now ---------------------------------------------------------
class Unavailable(RattilError):
    """Something needed is away; it usually comes back. `retry_after_s`: when to try again, None: unknown."""

    code = "unavailable"
    retryable = True

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class BusUnavailable(Unavailable):
    """Redis cannot be reached or refuses writes."""

    code = "bus_unavailable"
    told = "the message bus cannot be used now; what was acked is safe, try again shortly"


class UnsuitableRedis(RattilError):
    """The Redis that was configured would lose sessions, or cannot run our scripts; waiting does not help."""

    code = "unsuitable_redis"


class NoCapacity(Unavailable):
    """Every worker of the pool is full; `retry_after_s` says when to try again."""

    code = "no_capacity"

    retry_after_s: float

    def __init__(self, message: str, retry_after_s: float = 5.0) -> None:
        super().__init__(message, retry_after_s)


class Draining(NoCapacity):
    """This gateway is going away; another one will serve the session."""

    code = "draining"


class NoWorker(NoCapacity):
    """No worker of the pool is ready: none has started yet, or all are gone or leaving."""

    code = "no_worker"


class Overloaded(NoCapacity):
    """Results come later than the caller would wait for; it asked to be refused then."""

    code = "overloaded"


class TooManyRequests(NoCapacity):
    """The caller itself has as much in work, or waiting, as it may."""

    code = "too_many_requests"


class WaitingRoomFull(TooManyRequests):
    """So many sessions wait for a slot already that another would only wait in vain."""

    code = "waiting_room_full"


class RouterUnavailable(Unavailable):
    """No session router answers."""

    code = "router_unavailable"
    told = "no session router answers; try again shortly"


class QueueFull(Unavailable):
    """The pool's work stream has reached its hard bound; the segment was not accepted."""

    code = "queue_full"


# -- what happened to a session ------------------------------------------------------------------
class Fenced(RattilError):
    """A newer connection has taken the session over; this one must stop writing."""

    code = "superseded"


class StateLost(RattilError):
    """The session's state is no longer in Redis (expired, evicted or wiped)."""

    code = "state_lost"


class AudioLost(StateLost):
    """Some of a session's stored audio is missing: no report can be made of all of it."""

    code = "audio_lost"


# -- what happened to a segment ------------------------------------------------------------------
class DecodeFailed(RattilError):
    """The engine could not decode this segment; its batch-mates are not affected."""

    code = "asr_failed"
