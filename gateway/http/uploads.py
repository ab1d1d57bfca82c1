"""The uploads in work in this process: a place for each, and the bounds on what arrives."""

from __future__ import annotations

from contextlib import AbstractContextManager

from starlette.requests import Request
from starlette.responses import Response

from gateway.admission.concurrency_limit import ConcurrencyLimit
from gateway.dependencies import GatewayPorts
from gateway.http.upload import Form, UploadLimits, read_body, read_form
from shared.service.logging import get_logger

_log = get_logger(__name__)


class Uploads:
    """One object for all addresses that take recordings: each costs its recording in memory until it is
    answered, whoever asked for what."""

    def __init__(self, ports: GatewayPorts) -> None:
        settings = ports.settings
        self._limit = ConcurrencyLimit(
            settings.verify_max_concurrent, settings.verify_max_per_tenant, settings.verify_max_per_address
        )
        self._limits = UploadLimits(
            settings.verify_max_bytes,
            settings.upload_timeout_s,
            settings.upload_min_rate,
            settings.upload_grace_s,
        )
        ports.metrics.uploads.set_function(lambda: self._limit.in_work)

    def place(self, request: Request, tenant: str) -> AbstractContextManager[None]:
        """Hold a place from before the body is read until it is answered.

        Entering raises `TooManyUploads` for the caller's own limits and `NoCapacity` for that of all.
        """
        return self._limit.place(tenant, request.client.host if request.client else "")

    async def read(self, request: Request, field: str) -> Form:
        """The form with the file under `field`; see `read_form` for what it raises."""
        return await read_form(request, self._limits, field)

    async def read_whole(self, request: Request) -> bytes:
        """The body, all of it a recording; see `read_body` for what it raises."""
        return await read_body(request, self._limits)


def aborted(request: Request) -> Response:
    """The client left while it sent: no fault of ours, so one debug line, and an answer that nobody reads."""
    _log.debug("upload_aborted", path=request.url.path)
    return Response(status_code=400)
