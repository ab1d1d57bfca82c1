"""`rattil up`: run a whole Rattil in the foreground until a signal comes or a part of it dies."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from cli.embedded_redis import RedisDidNotStart
from cli.processes import ChildDied, LogSink, NotReady, Stack
from cli.stack import Plan, running

COLOURS = ("cyan", "green", "magenta", "blue", "yellow", "bright_cyan", "bright_green", "bright_magenta")
LOUD_LEVELS = ("warning", "error", "critical")


async def up(plan: Plan, console: Console, *, verbose: bool = False) -> int:
    """Start everything, print where the demo page is, wait. Returns the exit code: 0 after a signal,
    1 when something did not start or died (its last lines of log are shown)."""
    stack = Stack(log_printer(console, verbose))
    with stop_signals(stack) as stop:
        serving = asyncio.create_task(_serve(plan, stack, stop, console), name="serve")
        stopping = asyncio.create_task(stop.wait(), name="stop-signal")
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not stack.complete:
            serving.cancel()  # a signal while services were still starting
        stopping.cancel()
        status, _ = await asyncio.gather(serving, stopping, return_exceptions=True)
    if isinstance(status, asyncio.CancelledError):
        console.print("stopped before everything was ready")
        return 0
    if isinstance(status, BaseException):
        raise status
    return status


async def _serve(plan: Plan, stack: Stack, stop: asyncio.Event, console: Console) -> int:
    try:
        async with running(plan, stack, ProgressPrinter(console)):
            for url in plan.gateway_urls:
                console.print(f"[bold green]open[/] {url}/", soft_wrap=True)
            console.print("Ctrl-C stops everything", style="dim")
            await _until(stop, stack)
            console.print("stopping: live sessions are asked to move on (once more Ctrl-C kills)")
        console.print("all stopped")
    except (ChildDied, NotReady) as error:
        _show_failure(console, str(error), error.last_lines)
        return 1
    except RedisDidNotStart as error:
        _show_failure(console, str(error), ())
        return 1
    return 0


async def _until(stop: asyncio.Event, stack: Stack) -> None:
    """Until a signal; raises `ChildDied` if a part of the stack ends before."""
    stopping = asyncio.create_task(stop.wait(), name="until-signal")
    death = asyncio.create_task(stack.first_death(), name="first-death")
    try:
        await asyncio.wait({stopping, death}, return_when=asyncio.FIRST_COMPLETED)
        if death.done():
            raise death.result()
    finally:
        for task in (stopping, death):
            task.cancel()
        await asyncio.gather(stopping, death, return_exceptions=True)


@contextlib.contextmanager
def stop_signals(stack: Stack) -> Iterator[asyncio.Event]:
    """SIGINT or SIGTERM sets the event; another one kills whatever is still there."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            stack.kill()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


class ProgressPrinter:
    """One line per part of the stack, with the seconds since the launch."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began_s = asyncio.get_running_loop().time()

    def __call__(self, what: str, where: str) -> None:
        elapsed_s = asyncio.get_running_loop().time() - self._began_s
        self._console.print(f"  [green]ready[/] {what:<8} {where}  [dim]{elapsed_s:.1f} s[/]", soft_wrap=True)


def log_printer(console: Console, verbose: bool) -> LogSink:
    """Prints the children's logs with a coloured name; only warnings and worse unless `verbose`."""
    colours: dict[str, str] = {}

    def show(name: str, line: str) -> None:
        if verbose or _is_loud(line):
            colour = colours.setdefault(name, COLOURS[len(colours) % len(COLOURS)])
            console.print(Text(f"{name:<10}│ ", style=colour) + Text(line), soft_wrap=True)

    return show


def _is_loud(line: str) -> bool:
    try:
        record = json.loads(line)
    except ValueError:
        return False
    return isinstance(record, dict) and record.get("level") in LOUD_LEVELS


def _show_failure(console: Console, what: str, last_lines: tuple[str, ...]) -> None:
    for line in last_lines:
        console.print(Text(f"  │ {line}", style="dim"), soft_wrap=True)
    console.print(what, style="bold red", markup=False, soft_wrap=True)
