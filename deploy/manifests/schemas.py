"""Objects against the schemas of Kubernetes (strict: no unknown field) and of the custom resources.

The schemas of Kubernetes come with the package `kubernetes-validate`; those of KEDA, the Prometheus
operator and the Gateway API are in `crds/`, made from the types that their projects generate.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
from referencing import Registry, Resource

from deploy.manifests.chart import Manifest

KUBERNETES = ("1.29", "1.37")
"""Versions whose schemas every object must satisfy."""

_CRDS = Path(__file__).parent / "crds"


def problems(manifest: Manifest, version: str) -> list[str]:
    """What the schema says against this object; a kind without a schema is a problem, too."""
    validator = _validator(str(manifest.get("apiVersion")), str(manifest.get("kind")), version)
    if validator is None:
        return [f"{_name(manifest)}: no schema for {manifest.get('apiVersion')} {manifest.get('kind')}"]
    return [
        f"{_name(manifest)}: {'.'.join(str(part) for part in error.absolute_path)}: {error.message[:300]}"
        for error in validator.iter_errors(manifest)
    ]


def _name(manifest: Manifest) -> str:
    return f"{manifest.get('kind')}/{manifest.get('metadata', {}).get('name')}"


@cache
def _validator(api_version: str, kind: str, version: str) -> jsonschema.protocols.Validator | None:
    path = _CRDS / f"{kind}.json"
    if path.is_file():
        schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return jsonschema.Draft7Validator(schema)
    group, _, api = api_version.rpartition("/")
    folder = resources.files("kubernetes_validate") / "kubernetes-json-schema" / f"{_folder(version)}"
    short = f"{group.split('.')[0]}-{api}" if group else api
    file = folder / f"{kind.lower()}-{short}.json"
    if not file.is_file():
        return None
    registry = Resource.from_contents(_definitions(version)) @ Registry()
    return jsonschema.Draft202012Validator(json.loads(file.read_text(encoding="utf-8")), registry=registry)


@cache
def _definitions(version: str) -> Any:
    folder = resources.files("kubernetes_validate") / "kubernetes-json-schema" / _folder(version)
    return json.loads((folder / "_definitions.json").read_text(encoding="utf-8"))


@cache
def _folder(version: str) -> str:
    """The folder with the strict schemas of this minor version, whatever its patch."""
    root = resources.files("kubernetes_validate") / "kubernetes-json-schema"
    found = [
        entry.name
        for entry in root.iterdir()
        if entry.name.startswith(f"v{version}.") and entry.name.endswith("-local-strict")
    ]
    if not found:
        raise LookupError(f"kubernetes-validate has no schemas of Kubernetes {version}")
    return sorted(found)[-1]
