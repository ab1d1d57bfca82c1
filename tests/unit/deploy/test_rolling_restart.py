"""The script that replaces processes one by one: drained first, started as they were, in turn."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.ports import free_port
from deploy.rolling_restart import main

SERVER = """
import http.server, os, pathlib, signal, sys
signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path(sys.argv[2], "drained").touch(), os._exit(0)))
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(os.environ["WHO"].encode())
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(port), str(tmp_path)],
        env={**os.environ, "WHO": "me"},
        cwd=tmp_path,
    )
    while not listens(port):
        time.sleep(0.05)
    yield process, f"http://127.0.0.1:{port}/ready"
    process.kill()
    process.wait()


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_a_process_is_drained_and_started_again_as_it_was(
    server: tuple[subprocess.Popen[bytes], str], tmp_path: Path
) -> None:
    process, url = server
    status, out, _ = script(tmp_path, f"{process.pid}={url}", "--grace", "10", "--ready", "20")
    assert status == 0
    word, old, new, where = out.split()
    try:
        assert (word, int(old), where) == ("restarted", process.pid, url)
        assert (tmp_path / "drained").exists()
        assert os.readlink(f"/proc/{new}/cwd") == str(tmp_path)
        assert b"WHO=me" in Path(f"/proc/{new}/environ").read_bytes()
    finally:
        os.kill(int(new), signal.SIGKILL)


def test_one_that_does_not_come_back_stops_the_rest(
    server: tuple[subprocess.Popen[bytes], str], tmp_path: Path
) -> None:
    process, _ = server
    next_one = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        nowhere = f"http://127.0.0.1:{free_port()}/ready"
        asked = (f"{process.pid}={nowhere}", f"{next_one.pid}={nowhere}", "--grace", "5", "--ready", "1")
        status, _, said = script(tmp_path, *asked)
        assert status == 1
        assert "did not answer 200" in said
        assert next_one.poll() is None
    finally:
        next_one.kill()
        next_one.wait()
        for entry in Path("/proc").glob("[0-9]*"):
            if _command(entry).count(SERVER.encode()) and int(entry.name) != process.pid:
                os.kill(int(entry.name), signal.SIGKILL)


def script(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Status and output of the script. Files, as what it starts goes on writing to them."""
    with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
        ran = subprocess.run(
            [sys.executable, "-m", "deploy.rolling_restart", *arguments],
            stdout=out,
            stderr=err,
            timeout=60,
            cwd=Path(__file__).parent.parent.parent.parent,
        )
    return ran.returncode, (folder / "out").read_text(), (folder / "err").read_text()


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


@pytest.mark.parametrize("text", ["4711", "x=http://127.0.0.1/ready", "999999999=http://127.0.0.1/ready"])
def test_what_names_no_process_is_refused(text: str) -> None:
    assert main([text]) == 2
