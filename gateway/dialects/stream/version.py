"""The version of the protocol, as both sides name it in the headers of the handshake."""

from __future__ import annotations

import re
from typing import Final

from shared.errors import BadRequest

VERSION: Final = "1.0"
HEADER: Final = "x-protocol-version"
_SERVED: Final = re.compile(r"1(\.\d{1,3})?")
"""Within a version messages and fields are only added, so that every client of 1.x is served."""


class UnsupportedVersion(BadRequest):
    """The client speaks another version of the protocol."""

    code = "unsupported_version"


def check_version(stated: str | None) -> None:
    """A client that names none, as browsers cannot, speaks this one. Raises `UnsupportedVersion`."""
    if stated is not None and not _SERVED.fullmatch(stated.strip()):
        raise UnsupportedVersion(
            f"X-Protocol-Version {stated[:20]!r} is not served here; send {VERSION}, or leave it out"
        )
