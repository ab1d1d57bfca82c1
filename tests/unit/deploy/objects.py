"""Finding one object, container or variable in what the chart renders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.manifests.chart import Manifest, render

REDIS = {"redis": {"url": "redis://redis:6379/0"}}
"""The one thing that must be said."""


class Objects:
    """The objects of a release, found by kind and the end of their name."""

    def __init__(self, items: list[Manifest]) -> None:
        self.items = items

    def one(self, kind: str, name: str = "") -> Manifest:
        """The only object of this kind whose name ends so."""
        found = [i for i in self.items if i["kind"] == kind and i["metadata"]["name"].endswith(name)]
        assert len(found) == 1, f"{len(found)} objects {kind} …{name}"
        return found[0]

    def has(self, kind: str, name: str = "") -> bool:
        return any(i["kind"] == kind and i["metadata"]["name"].endswith(name) for i in self.items)

    def pod(self, name: str) -> dict[str, Any]:
        """The pod that a Deployment makes."""
        pod: dict[str, Any] = self.one("Deployment", name)["spec"]["template"]["spec"]
        return pod

    def container(self, name: str) -> dict[str, Any]:
        """The first container of a Deployment."""
        container: dict[str, Any] = self.pod(name)["containers"][0]
        return container

    def variables(self, name: str) -> dict[str, Any]:
        """What the first container's environment says: values, or where they come from."""
        container = self.container(name)
        config = container["envFrom"][0]["configMapRef"]["name"]
        values: dict[str, Any] = dict(self.one("ConfigMap", config)["data"])
        for variable in container["env"]:
            values[variable["name"]] = variable.get("value", variable.get("valueFrom"))
        return values


def released(values: Mapping[str, Any] | None = None) -> Objects:
    """A release with these values; Redis is given unless they say something about it."""
    given = dict(values or {})
    return Objects(render(given if "redis" in given else REDIS | given))


def pool(**values: Any) -> dict[str, Any]:
    """Values that every worker pool shall have."""
    return {"poolDefaults": values}
