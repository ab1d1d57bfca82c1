"""The file of a multipart body, bounded in bytes and in time while it arrives."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Message

from shared.errors import BadAudio, BadRequest, TooLarge, UploadTooSlow

MAX_FIELDS = 64
"""Fields of one form beside its file."""


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart body: its file, and its other fields in order, as (name, value)."""

    file: bytes
    fields: tuple[tuple[str, str], ...] = ()

    def all(self, *names: str) -> list[str]:
        """Every value under one of these names."""
        return [value for name, value in self.fields if name in names]

    def last(self, name: str) -> str:
        """The last value under this name; empty if there is none."""
        return next((value for given, value in reversed(self.fields) if given == name), "")


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """`timeout_s`: for the whole body. `min_rate`: bytes a second, on the mean, after `grace_s`; 0: none."""

    max_bytes: int
    timeout_s: float
    min_rate: float
    grace_s: float

    def due_s(self, received: int) -> float:
        """How long after the start the next bytes must have come, if so many have been received."""
        if not self.min_rate:
            return self.timeout_s
        return min(self.timeout_s, self.grace_s + received / self.min_rate)


async def read_form(request: Request, limits: UploadLimits, field: str) -> Form:
    """The multipart body with the file under `field`.

    Raises `BadRequest`, `BadAudio`, `TooLarge`, `UploadTooSlow`, or Starlette's `ClientDisconnect`.
    """
    _check_declared(request, limits)
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise BadRequest(f"the body must be multipart/form-data with a file field named {field!r}")
    bounded = Request(request.scope, _BoundedReceive(request, limits))
    try:
        async with bounded.form(max_files=1, max_fields=MAX_FIELDS) as form:
            upload = form.get(field)
            if not isinstance(upload, UploadFile):
                raise BadAudio(
                    f"there is no file in the multipart field {field!r}; attach the recording there"
                )
            texts = ((name, value) for name, value in form.multi_items() if isinstance(value, str))
            return Form(await upload.read(), tuple(texts))
    except (MultiPartException, HTTPException) as error:
        detail = error.detail if isinstance(error, HTTPException) else error.message
        raise BadRequest(f"the multipart body cannot be read: {detail}") from error


async def read_body(request: Request, limits: UploadLimits) -> bytes:
    """A body that is nothing but the recording.

    Raises `BadAudio`, `TooLarge`, `UploadTooSlow`, or Starlette's `ClientDisconnect`.
    """
    _check_declared(request, limits)
    body = await Request(request.scope, _BoundedReceive(request, limits)).body()
    if not body:
        raise BadAudio("the body is empty; send the recording as it is")
    return body


def _check_declared(request: Request, limits: UploadLimits) -> None:
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limits.max_bytes:
        raise _too_large(limits.max_bytes)


class _BoundedReceive:
    """ASGI receive that counts (`Content-Length` may be absent or a lie) and looks at the time."""

    def __init__(self, request: Request, limits: UploadLimits) -> None:
        self._receive = request.receive
        self._limits = limits
        self._began_s = asyncio.get_running_loop().time()
        self._seen = 0

    async def __call__(self) -> Message:
        try:
            async with asyncio.timeout_at(self._began_s + self._limits.due_s(self._seen)):
                message = await self._receive()
        except TimeoutError as error:
            raise self._too_slow() from error
        self._seen += len(message.get("body", b""))
        if self._seen > self._limits.max_bytes:
            raise _too_large(self._limits.max_bytes)
        return message

    def _too_slow(self) -> UploadTooSlow:
        limits = self._limits
        if limits.due_s(self._seen) < limits.timeout_s:
            return UploadTooSlow(
                f"the upload is slower than {limits.min_rate:g} bytes a second; "
                "compress the recording or use a better connection"
            )
        return UploadTooSlow(
            f"the upload did not arrive within {limits.timeout_s:g} s; compress the recording or cut it"
        )


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(f"the body is larger than {max_bytes} bytes; compress the recording or send it in parts")
