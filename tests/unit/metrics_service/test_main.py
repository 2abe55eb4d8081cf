"""The command line: what it says when it is called or configured wrongly."""

import pytest

from metrics_service.__main__ import main

GOOD = {
    "CHATSDK_ENV": "development",
    "CHATSDK_SERVICE_TOKEN": "service-token-of-the-tests",
    "CHATSDK_MASTER_KEYS": "tests:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "RABBITMQ_URL": "amqp://127.0.0.1:1",
    "METRICS_DATABASE_URL": "postgresql://127.0.0.1:1/chatsdk_metrics",
}


@pytest.mark.parametrize("arguments", [[], ["start"], ["serve", "twice"]])
def test_a_wrong_call_is_answered_with_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert "serve|migrate" in capsys.readouterr().err


def test_every_problem_of_the_environment_is_named_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("RABBITMQ_URL")
    monkeypatch.setenv("CHATSDK_SERVICE_TOKEN", "short")
    monkeypatch.setenv("METRICS_PORT", "70000")
    assert main(["serve"]) == 2
    said = capsys.readouterr().err
    for name in ("RABBITMQ_URL", "CHATSDK_SERVICE_TOKEN", "METRICS_PORT"):
        assert name in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("METRICS_DATABASE_URL", "", "METRICS_DATABASE_URL"),
        ("CHATSDK_FAULT_POINTS", "rollup.committed", "rollup.committed"),
        ("CHAT_INTERNAL_URL", "chat:5501", "CHAT_INTERNAL_URL"),
    ],
)
def test_a_wrong_setting_is_named(
    name: str, value: str, named: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for variable, good in {**GOOD, name: value}.items():
        monkeypatch.setenv(variable, good)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert main(["serve"]) == 2
    assert named in capsys.readouterr().err


def test_fault_points_are_refused_in_production(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = {**GOOD, "CHATSDK_ENV": "production", "CHATSDK_FAULT_POINTS": "rollup.committed:1"}
    for variable, value in wrong.items():
        monkeypatch.setenv(variable, value)
    assert main(["serve"]) == 2
    assert "CHATSDK_FAULT_POINTS" in capsys.readouterr().err
