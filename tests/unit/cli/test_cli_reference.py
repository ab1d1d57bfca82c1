"""`rattil reference check`: every fault of a published tree is found, and a good one passes."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator, Mapping
from typing import Protocol

import pytest
from typer.testing import CliRunner

from cli.commands import app
from cli.ports import free_port
from cli.reference import paths_of

GOOD = {
    "Content-Type": "audio/mpeg",
    "Content-Length": "80000",
    "Cache-Control": "public, max-age=31536000, immutable",
    "Accept-Ranges": "bytes",
}


class Tree(http.server.ThreadingHTTPServer):
    """Answers every file alike; 404 for paths with `missing` in them."""

    def __init__(self, headers: Mapping[str, str], missing: str = "") -> None:
        self.asked: list[str] = []
        tree = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                tree.asked.append(self.path)
                self.send_response(404 if missing and missing in self.path else 200)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                return None

        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Serve(Protocol):
    """Starts a tree."""

    def __call__(self, headers: Mapping[str, str] = GOOD, missing: str = "") -> Tree: ...


@pytest.fixture
def serve() -> Iterator[Serve]:
    running: list[Tree] = []

    def start(headers: Mapping[str, str] = GOOD, missing: str = "") -> Tree:
        tree = Tree(headers, missing)
        threading.Thread(target=tree.serve_forever, daemon=True).start()
        running.append(tree)
        return tree

    yield start
    for tree in running:
        tree.shutdown()
        tree.server_close()


def checked(url: str, *more: str) -> tuple[int, str]:
    ran = CliRunner().invoke(app, ["reference", "check", url, "--reciter", "husary", *more])
    return ran.exit_code, ran.output


def test_the_whole_book_is_asked_for() -> None:
    paths = paths_of("husary-v1")
    assert len(paths) == 6236
    assert paths[0] == "reference/husary-v1/001001.mp3"
    assert paths[-1] == "reference/husary-v1/114006.mp3"
    assert "reference/husary-v1/002286.mp3" in paths


def test_a_good_tree_passes(serve: Serve) -> None:
    tree = serve()
    code, said = checked(tree.url, "--sura", "1", "--sura", "112")
    assert (code, "11 files right, 0 wrong" in said) == (0, True)
    assert sorted(tree.asked) == [f"/{path}" for path in paths_of("husary", (1, 112))]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"Content-Type": "text/html"}, "content type text/html"),
        ({"Content-Length": "12"}, "no audio in it"),
        ({"Cache-Control": "max-age=3600"}, "may not be cached for a year"),
        ({"Accept-Ranges": "none"}, "cannot be read in parts"),
    ],
)
def test_a_fault_is_named(serve: Serve, change: dict[str, str], said: str) -> None:
    tree = serve(GOOD | change)
    code, output = checked(tree.url, "--sura", "112")
    assert code == 1
    assert said in output
    assert "reference/husary/112001.mp3" in output


def test_a_missing_verse_is_named(serve: Serve) -> None:
    tree = serve(missing="112003")
    code, output = checked(tree.url, "--sura", "112")
    assert code == 1
    assert "1 files: status 404" in output
    assert "reference/husary/112003.mp3" in output
    assert "3 files right, 1 wrong" in output


def test_hits_of_the_cache_are_counted(serve: Serve) -> None:
    tree = serve(GOOD | {"X-Cache": "Hit from edge"})
    assert "4 hit" in checked(tree.url, "--sura", "112")[1]


def test_nobody_there_is_said() -> None:
    code, output = checked(f"http://127.0.0.1:{free_port()}", "--sura", "112")
    assert code == 4
    assert "cannot be reached" in output


def test_an_address_of_another_kind_is_wrong_usage() -> None:
    assert checked("ftp://cdn.example.org")[0] == 2
