"""`python -m asr_worker`: one worker process. All settings are environment variables."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from asr_worker.app import run_worker
from asr_worker.engines.loading import load_engine
from asr_worker.engines.model_files import ModelNotUsable
from asr_worker.settings import WorkerSettings
from shared.errors import UnsuitableRedis
from shared.service.http_limits import TooFewDescriptors
from shared.service.http_server import CannotListen, StartupFailed, run
from shared.service.logging import configure_logging, get_logger
from shared.service.settings_help import load_settings

ABOUT = """The ASR worker: takes segments of many sessions from its pool's streams, decodes them in batches,
commits each result exactly once, and runs the verify jobs. Start as many as there are GPUs or cores."""

_log = get_logger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code: 0 after a drain, 2 if it cannot start."""
    arguments = sys.argv[1:] if argv is None else argv
    settings = load_settings(WorkerSettings, arguments, "python -m asr_worker", ABOUT)
    configure_logging("asr_worker", settings.log_level, settings.log_format)
    try:
        engine = load_engine(settings)
        run(run_worker(settings, engine))
    except (ModelNotUsable, UnsuitableRedis, CannotListen, StartupFailed, TooFewDescriptors) as error:
        _log.error(error.code, error=error.message)
        return 2
    _log.info("stopped")
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # An engine that hangs in native code would keep the interpreter from ending.
    os._exit(code)
