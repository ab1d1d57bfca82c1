"""Structured logs: JSON lines in production, coloured key=value on a terminal; one event per line.

Every line about a segment carries `trace_id`, so that `grep` shows its way from socket to result.
Session ids are secrets: every line shows `short_id` of one, at every level.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Literal

import structlog

from shared.ids import short_id
from shared.redaction import without_credentials

LogFormat = Literal["auto", "json", "console"]


def configure_logging(service: str, level: str = "info", log_format: LogFormat = "auto") -> None:
    """Set up structlog and send the standard library's records the same way. Call once per process."""
    as_json = log_format == "json" or (log_format == "auto" and not sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    )
    common: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_service(service),
        structlog.processors.format_exc_info,  # first: an error's text may name the session, too
        _shorten_session_id,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=common,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _cut_credentials,
            renderer,
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # uvicorn.error logs every WebSocket with its query, where API keys and session ids are.
    chatties = ("httpx", "httpcore", "websockets", "uvicorn.access", "faster_whisper", "arq")
    for chatty in chatties:
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # Its warnings are one line for each request that cannot be read: those are answered and counted.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    structlog.configure(
        processors=[*common, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        cache_logger_on_first_use=True,
    )


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """The logger of a module; keyword arguments become fields of the line."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(name)
    return logger


def _cut_credentials(
    _logger: structlog.typing.WrappedLogger, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """No line of any service holds a password or a key, wherever in it that would stand."""
    return {name: _cut(value) for name, value in event.items()}


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return without_credentials(value)
    if isinstance(value, dict):
        return {name: _cut(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cut(item) for item in value]
    if value is None or isinstance(value, int | float):
        return value
    return without_credentials(repr(value))  # as both renderers would write it


def _add_service(service: str) -> structlog.typing.Processor:
    def add(
        _logger: structlog.typing.WrappedLogger, _method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        event["service"] = service
        return event

    return add


def _shorten_session_id(
    _logger: structlog.typing.WrappedLogger, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """`session_id`, wherever in the line it stands. Call sites pass the whole id and need not think of it."""
    whole = event.get("session_id")
    if not isinstance(whole, str) or not whole:
        return event
    shown = short_id(whole)
    for name, value in event.items():
        if isinstance(value, str) and whole in value:
            event[name] = value.replace(whole, shown)
    return event
