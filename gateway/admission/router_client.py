"""Asking the session router whether a session may start, and keeping its lease alive."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from gateway.admission.circuit import Circuit
from gateway.admission.pools import PoolStatus
from shared.errors import BadRequest, LeaseHeld, NoCapacity, NoWorker, RouterUnavailable
from shared.ids import SessionId, WorkerId
from shared.protocol.workers import (
    AdmitRequest,
    HeldLease,
    Lease,
    ReleaseRequest,
    RenewReply,
    RenewRequest,
)
from shared.service.logging import get_logger

ADMIT_TIMEOUT_S = 15.0
"""Longer than a router lets a session wait for a slot (`ROUTER_QUEUE_TIMEOUT_S`, 10 s)."""

CALL_TIMEOUT_S = 3.0
CONNECT_TIMEOUT_S = 1.0
ADMIT_CONNECTIONS = 64
"""Admissions asked at once; each may wait for a slot as long as the router lets it."""
CALL_CONNECTIONS = 16
"""Calls for sessions that live, at once: each takes milliseconds."""
OPEN_LEASE_TTL_S = 30.0

_NO_CAPACITY: dict[str, type[NoCapacity]] = {
    "no_capacity": NoCapacity,
    "waiting_room_full": NoCapacity,
    "no_worker": NoWorker,
}
_NOT_FOR_US = frozenset({"unauthorised", "unknown_host"})
"""This router does not know our key, or its own name as we write it: nothing that a client could mend."""
_NO_ROUTER = ""
"""The code of an error that no router wrote: a proxy's on the way, or another service's."""

_log = get_logger(__name__)
_ReplyT = TypeVar("_ReplyT", bound=msgspec.Struct)


class Admission(Protocol):
    """The gateway's side of the session router."""

    async def admit(self, request: AdmitRequest) -> Lease:
        """A lease for the session; the same one again if this holder holds it already.

        Raises `NoCapacity` or `NoWorker` (with `retry_after_s`), `LeaseHeld` if another connection
        holds the session's lease, `BadRequest` if the router refuses the request itself,
        `RouterUnavailable` if no router answers.
        """
        ...

    async def renew(self, held: Sequence[HeldLease]) -> RenewReply:
        """Renew leases of this gateway, and make those again that are gone. Raises `RouterUnavailable`."""
        ...

    async def release(self, session_id: SessionId, holder: str, keep_s: float = 0.0) -> None:
        """Give the slot back, or have it kept for `keep_s` seconds for whoever goes on with the session.

        Harmless when there is no lease, or when another holds it. Raises `RouterUnavailable`.
        """
        ...

    async def workers_ready(self) -> int:
        """Workers that take sessions now, all pools. Raises `RouterUnavailable`."""
        ...

    async def pools(self) -> Sequence[PoolStatus]:
        """Every pool that a worker has reported, as it is now. Raises `RouterUnavailable`."""
        ...

    async def close(self) -> None: ...


class OpenAdmission:
    """No router: every session is let in, into the pool it asks for."""

    async def admit(self, request: AdmitRequest) -> Lease:
        return Lease(request.session_id, request.pool, WorkerId(""), OPEN_LEASE_TTL_S)

    async def renew(self, held: Sequence[HeldLease]) -> RenewReply:
        nobody = WorkerId("")
        return RenewReply(
            tuple(Lease(lease.session_id, lease.pool, nobody, OPEN_LEASE_TTL_S) for lease in held)
        )

    async def release(self, session_id: SessionId, holder: str, keep_s: float = 0.0) -> None:
        return None

    async def workers_ready(self) -> int:
        return 1

    async def pools(self) -> Sequence[PoolStatus]:
        return ()

    async def close(self) -> None:
        return None


class _Line:
    """Calls of one kind, with connections of their own: admissions that wait for a slot never keep a renewal
    waiting. A call waits here for its connection, not in httpx's pool, which looks at all that wait there
    whenever one of them comes or goes."""

    def __init__(
        self,
        connections: int,
        timeout_s: float,
        headers: dict[str, str],
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        self._free = asyncio.Semaphore(connections)
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S),
            limits=httpx.Limits(max_connections=connections),
            headers={"Content-Type": "application/json"} | headers,
            transport=transport,
            # A proxy for the world outside must not stand between two of our own services.
            trust_env=False,
        )

    async def request(self, method: str, url: str, content: bytes | None) -> httpx.Response:
        """Raises `httpx.HTTPError`."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._free.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("every connection is in use") from None
        try:
            response = await self._client.request(method, url, content=content)
        finally:
            self._free.release()
        # httpx binds a response and its stream to one another: both would wait for the collector.
        response.stream = httpx.ByteStream(b"")
        return response

    async def close(self) -> None:
        await self._client.aclose()


class HttpAdmission:
    """Session routers over HTTP. They share their state, so any of them can answer anything:
    the one that answered last is asked first, the next one when it fails."""

    def __init__(
        self,
        router_urls: Sequence[str],
        *,
        api_key: str = "",
        admit_timeout_s: float = ADMIT_TIMEOUT_S,
        call_timeout_s: float = CALL_TIMEOUT_S,
        circuit: Circuit | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`circuit`: opened by admissions that find no router, closed by any call that finds one."""
        self._urls = [url.rstrip("/") for url in router_urls]
        self._circuit = circuit
        if not self._urls:
            raise ValueError("ROUTER_URL names no router")
        for url in self._urls:
            if not url.startswith(("http://", "https://")):
                raise ValueError(f"ROUTER_URL must list http:// or https:// addresses, not {_shown(url)!r}")
        self._preferred = 0
        self._away = False
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._admissions = _Line(ADMIT_CONNECTIONS, admit_timeout_s, headers, transport)
        self._calls = _Line(CALL_CONNECTIONS, call_timeout_s, headers, transport)

    async def admit(self, request: AdmitRequest) -> Lease:
        with self._guard():
            response = await self._find_answer(self._admissions, "POST", "/v1/sessions", request)
        return _read(_checked(response), Lease)

    async def renew(self, held: Sequence[HeldLease]) -> RenewReply:
        if not held:
            return RenewReply()
        response = await self._ask("POST", "/v1/leases/renew", RenewRequest(tuple(held)))
        return _read(response, RenewReply)

    async def release(self, session_id: SessionId, holder: str, keep_s: float = 0.0) -> None:
        await self._ask("POST", "/v1/leases/release", ReleaseRequest(session_id, holder, keep_s))

    async def workers_ready(self) -> int:
        return sum(pool.workers for pool in await self.pools())

    async def pools(self) -> Sequence[PoolStatus]:
        return _read(await self._ask("GET", "/v1/capacity"), _CapacityReply).pools

    async def close(self) -> None:
        await self._admissions.close()
        await self._calls.close()

    def _guard(self) -> AbstractContextManager[None]:
        if self._circuit is None:
            return nullcontext()
        return self._circuit.guard(_not_asked, (RouterUnavailable,))

    async def _ask(self, method: str, path: str, body: msgspec.Struct | None = None) -> httpx.Response:
        """For sessions that live, and for whoever looks: the circuit does not hold them back."""
        response = await self._find_answer(self._calls, method, path, body)
        if self._circuit is not None:
            self._circuit.succeeded()
        return _checked(response)

    async def _find_answer(
        self, line: _Line, method: str, path: str, body: msgspec.Struct | None = None
    ) -> httpx.Response:
        """The first router's answer that is an answer; every call here may be repeated safely."""
        content = None if body is None else msgspec.json.encode(body)
        failures = []
        for turn in range(len(self._urls)):
            index = (self._preferred + turn) % len(self._urls)
            url = self._urls[index]
            try:
                response = await line.request(method, url + path, content)
            except httpx.HTTPError as error:
                failures.append(f"{_shown(url)}: {type(error).__name__} {error}".strip())
                continue
            if _is_answer(response):
                self._preferred, self._away = index, False
                return response
            failures.append(f"{_shown(url)}: {_problem(response).message}")
        # The addresses are for the log only: what is raised here reaches clients.
        (_log.debug if self._away else _log.warning)("no_router_answers", failures=failures)
        self._away = True
        raise RouterUnavailable("no session router answers; try again shortly")


def _not_asked(retry_after_s: float) -> RouterUnavailable:
    return RouterUnavailable("no session router has answered for a while; none is asked now", retry_after_s)


class _Problem(msgspec.Struct):
    code: str = "internal"
    message: str = ""
    retry_after_s: float = 5.0


class _ErrorReply(msgspec.Struct):
    error: _Problem


class _CapacityReply(msgspec.Struct):
    pools: tuple[PoolStatus, ...]


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_success or response.status_code == 404:
        return response
    problem = _problem(response)
    if problem.code in _NO_CAPACITY:
        raise _NO_CAPACITY[problem.code](problem.message, problem.retry_after_s)
    if problem.code == LeaseHeld.code:
        raise LeaseHeld(problem.message)
    raise BadRequest(f"the session router refused the request: {problem.message}")


def _is_answer(response: httpx.Response) -> bool:
    """Whether another router would say the same."""
    if response.is_success or response.status_code == 404:
        return True
    code = _problem(response).code
    if code == _NO_ROUTER:
        return False
    return code in _NO_CAPACITY if response.status_code >= 500 else code not in _NOT_FOR_US


def _shown(url: str) -> str:
    """An address without user and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _problem(response: httpx.Response) -> _Problem:
    try:
        return msgspec.json.decode(response.content, type=_ErrorReply).error
    except msgspec.DecodeError:
        return _Problem(_NO_ROUTER, f"HTTP {response.status_code}")


def _read(response: httpx.Response, reply_type: type[_ReplyT]) -> _ReplyT:
    try:
        return msgspec.json.decode(response.content, type=reply_type)
    except msgspec.DecodeError as error:
        raise RouterUnavailable(f"the session router's answer cannot be read ({error}); try again") from error
