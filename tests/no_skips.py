"""With RATTIL_NO_SKIPS=1 a skipped test fails the run: a gate must not pass because something was missing.

Only what needs a GPU may be skipped.
"""

from __future__ import annotations

import os

import pytest

_ALLOWED = ("CUDA", "GPU")


class NoSkips:
    """A pytest plugin that remembers what was skipped, and why."""

    def __init__(self) -> None:
        self.skipped: list[str] = []

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report.nodeid, report)

    @pytest.hookimpl
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report.nodeid, report)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.skipped and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for line in self.skipped:
            terminalreporter.write_line(f"skipped, though RATTIL_NO_SKIPS is set: {line}", red=True)

    def _note(self, nodeid: str, report: pytest.TestReport | pytest.CollectReport) -> None:
        if not report.skipped or hasattr(report, "wasxfail"):
            return
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(word in why for word in _ALLOWED):
            self.skipped.append(f"{nodeid}: {why}")


def wanted() -> bool:
    return os.environ.get("RATTIL_NO_SKIPS") == "1"
