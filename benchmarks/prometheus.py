"""A real Prometheus that scrapes a running system every second, for benchmarks and tests."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from cli.ports import free_port
from cli.processes import Child, Service


@dataclass(frozen=True, slots=True)
class Prometheus:
    """Asks a running Prometheus. `url`: where it is."""

    url: str

    async def alerts(self) -> dict[str, str]:
        """Alert name to state (pending, firing) of all that are not silent."""
        found = await self._get("/api/v1/alerts")
        return {alert["labels"]["alertname"]: str(alert["state"]) for alert in found["alerts"]}

    async def until(self, alert: str, state: str | None, within_s: float) -> None:
        """Wait until an alert is in a state (None: silent)."""
        async with asyncio.timeout(within_s):
            while (await self.alerts()).get(alert) != state:  # noqa: ASYNC110 (another process: no event)
                await asyncio.sleep(0.3)

    async def targets(self) -> dict[str, str]:
        """Job to health of its target."""
        found = await self._get("/api/v1/targets")
        return {target["labels"]["job"]: str(target["health"]) for target in found["activeTargets"]}

    async def rules(self) -> dict[str, str]:
        """Rule name to health."""
        found = await self._get("/api/v1/rules")
        return {rule["name"]: str(rule["health"]) for group in found["groups"] for rule in group["rules"]}

    async def value(self, query: str) -> float | None:
        """The only value of an instant query, None if there is none."""
        found = await self._get("/api/v1/query", query=query)
        return float(found["result"][0]["value"][1]) if found["result"] else None

    async def _get(self, path: str, **params: str) -> dict[str, Any]:
        async with httpx.AsyncClient() as http:
            answer = (await http.get(f"{self.url}{path}", params=params)).raise_for_status()
        data: dict[str, Any] = answer.json()["data"]
        return data


@asynccontextmanager
async def prometheus(
    program: str, targets: Mapping[str, str], folder: Path, *, namespace: str, rules: str = "groups: []"
) -> AsyncIterator[Prometheus]:
    """Scrape `targets` (job to host:port) until the end of the block.

    `program`: where it is installed. `folder`: for its files. `rules`: the text of a rules file. All series
    get the label `namespace`, as in a cluster.
    """
    (folder / "rules.yaml").write_text(rules, encoding="utf-8")
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(folder / "rules.yaml")],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [where], "labels": {"namespace": namespace}}]}
            for job, where in targets.items()
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    port = free_port()
    service = Service(
        name="prometheus",
        argv=[
            program,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ],
        ready_url=f"http://127.0.0.1:{port}/-/ready",
    )
    lines: list[str] = []
    child = await Child.start(service, lambda _name, line: lines.append(line))
    try:
        await child.ready()
        yield Prometheus(f"http://127.0.0.1:{port}")
    finally:
        os.kill(child.pid, signal.SIGTERM)
        await child.died()
