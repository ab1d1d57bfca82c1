"""Programs that some tests need and not every machine has: skipped without, but never in CI."""

from __future__ import annotations

import os
import shutil

import pytest


def needs(program: str) -> str:
    """Its path. Skips the test where it is not installed; in CI that is a failure."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found:
        return found
    if os.environ.get("CI"):
        pytest.fail(f"{program} is missing: .ci/run must install it")
    pytest.skip(f"{program} is not installed here")
