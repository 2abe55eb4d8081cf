"""The golden schemas: in step with the classes, true of what is written, never changed but by addition."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from pydantic import Field

from chatsdk_contracts.catalogue import EVENTS
from chatsdk_contracts.envelope import Event, encode
from chatsdk_contracts.schemas import SCHEMA_DIR, breaks, drift, event_schema, golden_name, main, render
from chatsdk_contracts.wire import SINCE, WireModel
from tests.unit.contracts.strategies import events


def test_the_committed_schemas_are_those_of_the_classes() -> None:
    assert drift() == []
    assert breaks() == []


def test_the_check_runs_as_a_command() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "chatsdk_contracts.schemas", "--check"], capture_output=True, check=False
    )
    assert (process.returncode, process.stderr) == (0, b"")


def test_drift_is_reported_and_writing_mends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--write", "--directory", str(tmp_path)]) == 0
    assert main(["--check", "--directory", str(tmp_path)]) == 0
    golden = tmp_path / "message.new.v1.json"
    golden.write_text(golden.read_text().replace('"A message as', '"Some message as'))
    assert main(["--check", "--directory", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "message.new.v1.json: differs from its class\n"
    assert main(["--write", "--directory", str(tmp_path)]) == 0
    assert golden.read_bytes() == (SCHEMA_DIR / golden.name).read_bytes()


def test_writing_refuses_to_take_a_promise_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--write", "--directory", str(tmp_path)]) == 0
    golden = tmp_path / "message.new.v1.json"
    promised = json.loads(golden.read_text())
    promised["$defs"]["Message"]["properties"]["mood"] = {"type": "string"}
    golden.write_text(render(promised))
    (tmp_path / "message.gone.v1.json").write_text("{}")
    kept = golden.read_bytes()
    assert main(["--write", "--directory", str(tmp_path)]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "message.new.v1.json: event.data.mood: removed",
        "message.gone: type removed",
    ]
    assert golden.read_bytes() == kept


@given(events())
def test_what_is_written_is_what_the_schema_says(event: Event) -> None:
    schema = json.loads((SCHEMA_DIR / golden_name(type(event))).read_text(encoding="utf-8"))
    written = json.loads(encode(event))
    assert set(schema["required"]) <= written.keys() <= schema["properties"].keys()
    described = schema["$defs"][schema["properties"]["data"]["$ref"].rsplit("/", 1)[1]]
    assert set(described["required"]) <= written["data"].keys() == described["properties"].keys()


def test_a_field_added_later_is_not_required_of_older_events() -> None:
    class Grown(WireModel):
        first: str
        later: str | None = Field(default=None, json_schema_extra={SINCE: "0.2.0"})

    class GrownEvent(Event):
        """An event that exists in this test only."""

        type: Literal["thing.grown"] = "thing.grown"
        data: Grown

    schema: dict[str, Any] = event_schema(GrownEvent)
    assert schema["$defs"]["Grown"]["required"] == ["first"]


def test_every_type_has_one_schema_file_for_each_of_its_versions() -> None:
    names = {path.name for path in SCHEMA_DIR.glob("*.json")}
    assert {f"{name}.v{cls.schema_version}.json" for name, cls in EVENTS.items()} <= names
