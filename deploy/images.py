"""Builds the images where there is a container engine: `python -m deploy.images pin`, then `build`.

`pin` asks the registries for the digests of the base images and writes `deploy/docker/bases.lock`; `build`
builds from exactly those, so that an image can be built again from the same bytes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCKER = ROOT / "deploy" / "docker"
BASES = DOCKER / "bases.env"
LOCK = DOCKER / "bases.lock"
IMAGES = {"edge": "edge.Dockerfile", "worker": "worker.Dockerfile", "worker-cuda": "worker-cuda.Dockerfile"}

Run = Callable[[Sequence[str]], str]


def main(argv: Sequence[str] | None = None) -> int:
    """0 if it was done; 1 with what the engine said, or that there is none."""
    parser = argparse.ArgumentParser(prog="python -m deploy.images", description=__doc__)
    parser.add_argument("what", choices=["pin", "build"])
    parser.add_argument("--version", default="0.1.0", help="tag of the images (default %(default)s)")
    parser.add_argument("--registry", default="rattil", help="prefix of their names (default %(default)s)")
    chosen = parser.parse_args(argv)
    try:
        if chosen.what == "pin":
            pin(run)
        else:
            build(run, chosen.registry, chosen.version)
    except FileNotFoundError as error:
        print(f"{error}; `docker` builds the images, `pin` comes before `build`", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"{' '.join(error.cmd)} failed: {error.stderr or error.stdout or ''}", file=sys.stderr)
        if chosen.what == "pin":
            print("`pin` needs docker with its buildx plugin, and a way to the registries", file=sys.stderr)
        return 1
    return 0


def run(command: Sequence[str]) -> str:
    """What it prints; raises `CalledProcessError`, `FileNotFoundError`."""
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, cwd=ROOT).stdout


def pin(run: Run) -> None:
    """Write the lock: each base image by its digest of now."""
    lines = []
    for name, image in arguments(BASES).items():
        wanted = ["docker", "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", image]
        digest = run(wanted).strip()
        if not digest.startswith("sha256:"):
            raise subprocess.CalledProcessError(1, wanted, digest)
        lines.append(f"{name}={image}@{digest}")
    LOCK.write_text("\n".join(lines) + "\n", encoding="utf-8")


def build(run: Run, registry: str, version: str) -> None:
    """Build all images from the pinned bases. Raises `FileNotFoundError` if nothing is pinned."""
    pinned = [f"--build-arg={name}={image}" for name, image in arguments(LOCK).items()]
    for name, dockerfile in IMAGES.items():
        tag = f"{registry}/{name}:{version}"
        run(["docker", "build", *pinned, "--file", f"deploy/docker/{dockerfile}", "--tag", tag, "."])


def arguments(path: Path) -> dict[str, str]:
    """The `NAME=value` lines of a file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {name: value for name, value in pairs}


if __name__ == "__main__":
    sys.exit(main())
