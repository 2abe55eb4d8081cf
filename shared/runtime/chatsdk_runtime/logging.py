"""structlog, set up once per process by `__main__`; the standard library's loggers go through it too.

One canonical line per unit of work; event names are constants, everything else is a field. Values under
names that carry secrets never reach the output.
"""

from __future__ import annotations

import logging as stdlib_logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
_SECRET_NAMES = frozenset(
    {
        "authorization",
        "api_key",
        "x_api_key",
        "token",
        "service_token",
        "secret",
        "password",
        "dsn",
        "master_keys",
    }
)

LevelName = Literal["debug", "info", "warning", "error"]


class LogLevel:
    """The level in force; changed at run time through the operations port."""

    def __init__(self, name: LevelName) -> None:
        self.name: LevelName = name
        self._number = LEVELS[name]

    def change(self, name: LevelName) -> None:
        """From the next line on."""
        self.name = name
        self._number = LEVELS[name]

    def __call__(self, _logger: WrappedLogger, method: str, event_dict: EventDict) -> EventDict:
        level = "error" if method == "exception" else method
        if LEVELS.get(level, 20) < self._number:
            raise structlog.DropEvent
        return event_dict


def configure_logging(
    *,
    service: str,
    level: LevelName,
    style: Literal["auto", "console", "json"],
    development: bool,
    stream: TextIO | None = None,
) -> LogLevel:
    """Route structlog and the standard library to one stream (standard error unless given)."""
    out = stream or sys.stderr
    pretty = style == "console" or (style == "auto" and development and out.isatty())
    gate = LogLevel(level)
    shared: list[Processor] = [
        gate,
        structlog.contextvars.merge_contextvars,
        _add_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        _redact,
        # `log.exception` of structlog's plain logger does not bring the exception by itself.
        structlog.dev.set_exc_info,
    ]
    render: list[Processor] = (
        [structlog.dev.ConsoleRenderer(timestamp_key="ts", colors=out.isatty())]
        if pretty
        else [structlog.processors.format_exc_info, _render_json]
    )
    structlog.configure(
        processors=[*shared, _Named(service), *render],
        logger_factory=structlog.PrintLoggerFactory(file=out),
        wrapper_class=structlog.BoundLogger,
        cache_logger_on_first_use=False,
    )
    _capture_stdlib(gate)
    return gate


class _Named:
    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, _logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
        event_dict["service"] = self._service
        return event_dict


def _add_level(_logger: WrappedLogger, method: str, event_dict: EventDict) -> EventDict:
    event_dict["level"] = {"exception": "error", "warn": "warning"}.get(method, method)
    return event_dict


def _redact(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    return _without_secrets(event_dict)


def _without_secrets(fields: MutableMapping[str, Any]) -> dict[str, Any]:
    """The same fields, also inside of mappings, with secrets blotted out; names as HTTP or Python spell them."""
    return {
        name: "[redacted]"
        if str(name).lower().replace("-", "_") in _SECRET_NAMES
        else _without_secrets(value)
        if isinstance(value, dict)
        else value
        for name, value in fields.items()
    }


def _render_json(_logger: WrappedLogger, _method: str, event_dict: MutableMapping[str, Any]) -> str:
    return orjson.dumps(event_dict, default=repr).decode()


class _ToStructlog(stdlib_logging.Handler):
    """Libraries log through the standard library; their lines get our shape."""

    def emit(self, record: stdlib_logging.LogRecord) -> None:
        level = record.levelname.lower() if record.levelname.lower() in LEVELS else "info"
        # Bound here, since `get_logger` has a parameter of its own that is called `logger`.
        fields: dict[str, Any] = {"logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        getattr(structlog.get_logger(), level)("library_log", **fields)


def _capture_stdlib(gate: LogLevel) -> None:
    root = stdlib_logging.getLogger()
    root.handlers[:] = [_ToStructlog()]
    root.setLevel(stdlib_logging.INFO if gate.name == "debug" else stdlib_logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "faststream", "aio_pika", "aiormq"):
        logger = stdlib_logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True
