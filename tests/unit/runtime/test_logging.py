"""Logs: one JSON line per event, without secrets, at a level that can be changed."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from chatsdk_runtime.logging import LogLevel, configure_logging


@pytest.fixture(name="out")
def _out() -> Iterator[io.StringIO]:
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield io.StringIO()
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


def configure(out: io.StringIO) -> LogLevel:
    return configure_logging(service="chat", level="info", style="json", development=False, stream=out)


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_is_json_with_service_level_and_time(out: io.StringIO) -> None:
    configure(out)
    structlog.get_logger().info("message_sent", channel_id="c1")
    (line,) = lines(out)
    assert line.pop("ts").endswith("Z")
    assert line == {"event": "message_sent", "channel_id": "c1", "level": "info", "service": "chat"}


@pytest.mark.parametrize(
    "name", ["authorization", "api_key", "token", "secret", "password", "dsn", "master_keys", "Authorization"]
)
def test_values_under_secret_names_never_reach_the_output(out: io.StringIO, name: str) -> None:
    configure(out)
    structlog.get_logger().warning("refused", **{name: "hush"})
    assert "hush" not in out.getvalue()
    assert lines(out)[0][name] == "[redacted]"


def test_secrets_inside_of_values_are_redacted_too(out: io.StringIO) -> None:
    configure(out)
    structlog.get_logger().info("called", headers={"authorization": "hush", "accept": "*/*"})
    assert lines(out)[0]["headers"] == {"authorization": "[redacted]", "accept": "*/*"}


def test_the_level_can_be_changed_at_run_time(out: io.StringIO) -> None:
    level = configure(out)
    log = structlog.get_logger()
    log.debug("one")
    level.change("debug")
    log.debug("two")
    level.change("error")
    log.warning("three")
    log.error("four")
    assert [line["event"] for line in lines(out)] == ["two", "four"]
    assert level.name == "error"


def test_an_exception_is_an_error_with_its_traceback(out: io.StringIO) -> None:
    configure(out)
    try:
        raise KeyError("x")
    except KeyError:
        structlog.get_logger().exception("failed")
    (line,) = lines(out)
    assert line["level"] == "error"
    assert "KeyError: 'x'" in line["exception"]


def test_the_standard_librarys_lines_get_the_same_shape(out: io.StringIO) -> None:
    configure(out)
    logging.getLogger("aiormq").warning("channel %s closed", 5)
    (line,) = lines(out)
    assert (line["event"], line["logger"], line["message"]) == ("library_log", "aiormq", "channel 5 closed")
    assert line["level"] == "warning"
