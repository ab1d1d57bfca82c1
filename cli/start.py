"""The `rattil` script: from the first moment Ctrl-C ends it without a traceback.

Importing the commands takes a second or more. Until they can answer an interrupt themselves, it ends the
process as it ends any program.
"""

from __future__ import annotations

import signal


def main() -> None:
    """Entry point of the `rattil` script and of `python -m cli`."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # else it is ignored, as in the background, and stays so
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from cli.commands import app  # this takes the time

    signal.signal(signal.SIGINT, before)
    app()
