"""What the tests of the page share in each of their modules: browsers, and what microphones hear."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.browser import shared_browsers
from tests.e2e.microphones import voice, write_wav


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browsers() -> AsyncIterator[None]:
    """One browser for each sound, for all tests of a module that runs in one event loop."""
    async with shared_browsers():
        yield


@pytest.fixture(scope="module")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Something that goes up and down like speech."""
    return write_wav(voice(), tmp_path_factory.mktemp("sound") / "voice.wav")
