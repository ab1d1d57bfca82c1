"""`python -m session_router`: one router process. All settings are environment variables."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from session_router.app import redis_router
from session_router.settings import RouterSettings
from shared.errors import UnsuitableRedis
from shared.service.garbage_collector import tidied
from shared.service.http_limits import TooFewDescriptors
from shared.service.http_server import CannotListen, StartupFailed, run, serve
from shared.service.logging import configure_logging, get_logger
from shared.service.settings_help import load_settings

ABOUT = """The session router: knows which workers live and how many sessions they can take, admits sessions
into pools, moves the sessions of dead workers, and says how many workers a pool should have."""

_log = get_logger(__name__)


async def _serve(settings: RouterSettings) -> None:
    async with redis_router(settings) as router, tidied():
        await serve(
            router.app,
            settings.host,
            settings.port,
            on_drain=router.drain,
            ready=lambda port: _log.info("listening", host=settings.host, port=port),
            limits=settings.http_limits(),
            registry=router.api.metrics.registry,
        )
    _log.info("stopped")


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code: 0 after a drain, 2 if it cannot start."""
    arguments = sys.argv[1:] if argv is None else argv
    settings = load_settings(RouterSettings, arguments, "python -m session_router", ABOUT)
    configure_logging("session_router", settings.log_level, settings.log_format)
    try:
        run(_serve(settings))
    except (UnsuitableRedis, CannotListen, StartupFailed, TooFewDescriptors) as error:
        _log.error(error.code, error=error.message)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
