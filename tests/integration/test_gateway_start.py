"""The gateway as it is put together for real, on a real Redis."""

from __future__ import annotations

from gateway.__main__ import open_ports
from gateway.settings import GatewaySettings
from shared.service.metrics import exposition


async def test_everything_is_opened_once_and_closed(redis_url: str) -> None:
    async with open_ports(GatewaySettings(redis_url=redis_url)) as ports:
        assert await ports.store.ping() == 0
        assert b"rattil_gateway_connections" in exposition(ports.metrics.registry)
