"""A child ends with its parent: also where the parent has died before the child could ask for that."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="prctl is of Linux")

CHILDREN = """
import os, signal
from cli.parent_death import die_with_parent

def status_of(run):
    child = os.fork()
    if child == 0:
        run()
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

arrange = die_with_parent(signal.SIGTERM)
# The second one is run by a child of another process than the one that asked: as if that had died.
print(status_of(arrange), status_of(lambda: os._exit(status_of(arrange))))
"""


def test_a_child_goes_on_with_a_living_parent_and_ends_at_once_without_it() -> None:
    ran = subprocess.run([sys.executable, "-c", CHILDREN], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["7", "1"]
