"""One gateway's whole application on a memory bus, called over HTTP without a socket."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx

from gateway.app import build_app
from shared.errors import RattilError
from shared.ids import PoolName, TraceId
from shared.recitation.report.report import VerifyReport
from tests.unit.gateway.harness import Gateway, ScriptedBatch, report_on, world


class UploadBatch(ScriptedBatch):
    """Keeps the uploads it was given; fails as told."""

    def __init__(self) -> None:
        super().__init__()
        self.uploads: list[tuple[bytes, str]] = []
        self.begun = asyncio.Event()

    async def verify_upload(
        self,
        pcm16: bytes,
        passage: str,
        trace_id: TraceId | None = None,
        pools: Sequence[PoolName] = (),
    ) -> VerifyReport:
        self.uploads.append((pcm16, passage))
        self.judges.append(tuple(pools))
        self.begun.set()
        await self.hold.wait()
        if self.failure is not None:
            raise self.failure
        return report_on(passage)


class Edge:
    """The application and what stands behind it."""

    def __init__(self, app: Any, gateway: Gateway, batch: UploadBatch, http: httpx.AsyncClient) -> None:
        self.app = app
        self.gateway = gateway
        self.batch = batch
        self.http = http

    async def post(self, audio: bytes, query: str = "surah=1&ayah=1&to=7", **options: Any) -> httpx.Response:
        """`POST /verify` with a file in the field `audio`."""
        files = {"audio": ("recitation.wav", audio, "audio/wav")}
        return await self.http.post(f"/verify?{query}", files=files, **options)

    def fail_with(self, error: RattilError) -> None:
        self.batch.failure = error


@asynccontextmanager
async def edge(**overrides: Any) -> AsyncIterator[Edge]:
    """An application with these settings, for the length of the `with`."""
    async with world() as made:
        batch = UploadBatch()
        made.batch = batch
        gateway = made.gateway(**overrides)
        app = build_app(gateway.ports)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            try:
                yield Edge(app, gateway, batch, http)
            finally:
                await gateway.ports.decoder.close()


def wav(samples: int, rate: int = 16_000, channels: int = 1) -> bytes:
    """A quiet ramp as a WAV file."""
    frames = b"".join((n % 2000).to_bytes(2, "little") * channels for n in range(samples))
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(frames)
    return file.getvalue()
