"""Where kept recordings lie: a folder on a volume, or a bucket that speaks S3."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from shared.errors import Unavailable
from shared.extras import how_to_install

SCHEMES = ("file", "s3")


class StoreUnavailable(Unavailable):
    """The store of kept recordings cannot be used now."""

    code = "store_unavailable"


class Kept(msgspec.Struct, frozen=True):
    """One object: its path, its size in bytes, when it was written (ms since 1970, by the store's clock)."""

    path: str
    size: int
    written_ms: int


class KeptObjects(Protocol):
    """Objects by path. All raise `StoreUnavailable`. An object is there whole or not at all."""

    async def put(self, path: str, data: bytes) -> None: ...

    async def get(self, path: str) -> bytes | None:
        """None if there is none."""
        ...

    async def delete(self, path: str) -> None:
        """One that is not there is no error."""
        ...

    def list(self) -> AsyncIterator[Kept]: ...


def check_url(url: str) -> None:
    """Raises `ValueError` with a sentence for a store that cannot be meant, or not be opened here."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or (parts.scheme == "file" and (parts.netloc or not parts.path[1:])):
        raise ValueError("it must be file:///folder or s3://bucket/prefix")
    if parts.scheme == "s3" and not parts.hostname:
        raise ValueError("s3:// needs the name of a bucket: s3://bucket/prefix")
    try:
        import obstore  # noqa: F401
    except ImportError as error:
        raise ValueError(f"it needs obstore; {how_to_install('recordings')}") from error


def open_store(url: str) -> ObjectStore:
    """`file:///folder` is made if it is not there; `s3://bucket/prefix` reads AWS_* for keys and endpoint."""
    return ObjectStore(url)


class ObjectStore:
    """`KeptObjects` by obstore: the same code for files and for S3; files are renamed into place.

    Its calls run in threads of ours: with its own ones a process that ends at that moment was seen to abort.
    """

    def __init__(self, url: str) -> None:
        import obstore
        import obstore.exceptions
        from obstore.store import LocalStore, from_url

        self._obstore = obstore
        self._store = (
            LocalStore(urlsplit(url).path, automatic_cleanup=True, mkdir=True)
            if urlsplit(url).scheme == "file"
            else from_url(url)
        )

    async def put(self, path: str, data: bytes) -> None:
        with _failures():
            await asyncio.to_thread(self._obstore.put, self._store, path, data)

    async def get(self, path: str) -> bytes | None:
        with _failures():
            return await asyncio.to_thread(self._read, path)

    async def delete(self, path: str) -> None:
        with _failures():
            await asyncio.to_thread(self._remove, path)

    async def list(self) -> AsyncIterator[Kept]:
        with _failures():
            found = await asyncio.to_thread(self._all)
        for one in found:
            yield one

    def _read(self, path: str) -> bytes | None:
        try:
            return bytes(self._obstore.get(self._store, path).bytes())
        except (FileNotFoundError, self._obstore.exceptions.NotFoundError):
            return None

    def _remove(self, path: str) -> None:
        try:
            self._obstore.delete(self._store, path)
        except (FileNotFoundError, self._obstore.exceptions.NotFoundError):
            return

    def _all(self) -> tuple[Kept, ...]:
        return tuple(
            Kept(one["path"], one["size"], int(one["last_modified"].timestamp() * 1000))
            for several in self._obstore.list(self._store)
            for one in several
        )


@contextmanager
def _failures() -> Iterator[None]:
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise StoreUnavailable(
            f"the store of recordings cannot be used ({reason}); try again later"
        ) from error
