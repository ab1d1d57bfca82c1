"""`rattil bench …`: hands over to the benchmarks, which live beside the packages in a checkout."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

CHECKOUT = Path(__file__).resolve().parent.parent


class NoBenchmarks(Exception):
    """The benchmarks are not part of an installed package."""


def become_benchmark(arguments: Sequence[str]) -> NoReturn:
    """Replace this process by `python -m benchmarks …`. Raises `NoBenchmarks` outside of a checkout."""
    if not (CHECKOUT / "benchmarks" / "__main__.py").is_file():
        raise NoBenchmarks("the benchmarks come with the source: run this from a checkout of Rattil")
    paths = [str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH", "")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    os.execv(sys.executable, [sys.executable, "-m", "benchmarks", *arguments])
