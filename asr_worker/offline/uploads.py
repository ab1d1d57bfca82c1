"""Uploaded recordings on the control Redis, and what their transcribe jobs have told so far."""

from __future__ import annotations

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shared.bus import keys
from shared.bus.redis_connections import command
from shared.bus.redis_errors import redis_errors
from shared.protocol.transcribe_jobs import decode, encode
from shared.transcription.recording import Stretch

FIELD = "stretch"
"""The one field of an entry."""


class RedisUploads:
    """`verify.Uploads` and `transcribe.FollowedUploads` on the control Redis."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def fetch(self, upload_id: str) -> bytes | None:
        with redis_errors("fetching an upload"):
            pcm16: bytes | None = await command(self._client, "GET", keys.upload(upload_id))
        return pcm16

    async def wanted(self, upload_id: str) -> bool:
        with redis_errors("looking for an upload"):
            return bool(await command(self._client, "EXISTS", keys.upload(upload_id)))

    async def told(self, upload_id: str) -> list[Stretch]:
        with redis_errors("reading a transcript"):
            entries = await command(self._client, "XRANGE", keys.upload_heard(upload_id), "-", "+")
        return [decode(fields[FIELD.encode()], Stretch) for _, fields in entries]

    async def tell(self, upload_id: str, number: int, stretch: Stretch) -> None:
        key = keys.upload_heard(upload_id)
        with redis_errors("telling a transcript"):
            left_ms = int(await command(self._client, "PTTL", keys.upload(upload_id)))
            try:
                await command(self._client, "XADD", key, f"{number}-0", FIELD, encode(stretch))
            except ResponseError as error:
                if "equal or smaller" not in str(error):
                    raise
                return  # it was told by a run of this job that was presumed dead
            await command(self._client, "PEXPIRE", key, max(left_ms, 1))
