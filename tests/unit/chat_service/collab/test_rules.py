"""What operations on a collaborative text are taken, and what they come to."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from chat_service.collab import rules
from chat_service.collab.errors import BaseTooOld, DocumentTooLarge, MissingUpdates
from chat_service.collab.ot import Operation
from chat_service.collab.rules import WireOp
from chat_service.errors import ChannelFrozen
from chatsdk_contracts.channels import ChannelConfig
from chatsdk_runtime.errors import InvalidInput


def channel(most: int = 10) -> ChannelConfig:
    return ChannelConfig(max_message_length=most)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ([7], "ops[0]"),
        (["AAA="], "ops[0]"),
        ([{"retain": 1}, {}], "ops[1]"),
        ([{"retain": 1, "delete": 1}], "ops[0]"),
        ([{"retain": 0}], "ops[0].retain"),
        ([{"retain": True}], "ops[0].retain"),
        ([{"delete": -1}], "ops[0].delete"),
        ([{"delete": 1 << 40}], "ops[0].delete"),
        ([{"insert": ""}], "ops[0].insert"),
        ([{"insert": "a\0"}], "ops[0].insert"),
        ([{"insert": "\ud800"}], "ops[0].insert"),
        ([{"retain": 1}] * 201, "ops"),
    ],
)
def test_what_is_no_component_is_refused_by_its_path(given: list[Any], path: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        rules.operation_of(given)
    assert refused.value.details[0].path == path


def test_an_operation_survives_the_wire() -> None:
    given: list[WireOp] = [{"retain": 1}, {"insert": "😀"}, {"delete": 2}]
    assert rules.wire_ops(rules.operation_of(given)) == given
    assert rules.stored_operation(given) == (1, "😀", -2)


def test_an_operation_follows_those_that_came_before_it_and_keeps_what_it_does_not_reach() -> None:
    changed = rules.written("Xab", 2, (1, "Y"), [("X", 2)], channel())
    assert (changed.text, changed.ops) == ("XaYb", [{"retain": 2}, {"insert": "Y"}, {"retain": 1}])


def test_the_text_has_the_channels_limit_and_an_operation_its_texts_length() -> None:
    with pytest.raises(InvalidInput, match="span 3 code points of a text that has 2"):
        rules.written("Xab", 2, (3,), [("X", 2)], channel())
    with pytest.raises(InvalidInput, match="at most 3 here"):
        rules.written("ab", 2, (2, "cd"), [], channel(3))


def test_whoever_has_too_much_to_follow_begins_anew() -> None:
    everything, length = (-8_000,), 8_000
    since: list[Operation] = []
    for place in range(600):
        since.append((10 * place + 5, "x", length - 10 * place - 5))
        length += 1
    text = "a" * length
    with pytest.raises(BaseTooOld) as refused:
        rules.written(text, 601, everything, since, channel(20_000))
    assert refused.value.extra == {"oldest": 601}
    assert len(rules.written(text, 601, (3, "y", 7_997), since, channel(20_000)).text) == length + 1


def test_documents_are_limited_and_their_refusals_name_the_update() -> None:
    good = base64.b64encode(b"\x01\x01\x09\x00\x04\x01\x04text\x05abcde\x00").decode()
    updates = rules.updates_of([good])
    first = rules.merged("", None, updates, channel(), 1_000)
    assert (first.text, first.ops) == ("abcde", [good])
    assert rules.merged("ignored", first.state, [], channel(), 1_000).text == "abcde"
    with pytest.raises(DocumentTooLarge):
        rules.merged("", None, updates, channel(), 10)
    with pytest.raises(InvalidInput, match="at most 4 here"):
        rules.merged("", None, updates, channel(4), 1_000)
    with pytest.raises(InvalidInput, match="NUL"):
        rules.merged("", None, [updates[0].replace(b"abcde", b"a\0cde")], channel(), 1_000)
    with pytest.raises(InvalidInput) as refused:
        rules.merged("", None, [*updates, b"\x05"], channel(), 1_000)
    assert refused.value.details[0].path == "ops[1]"
    with pytest.raises(MissingUpdates, match=r"ops\[0\]"):
        rules.merged("", None, [b"\x01\x01\x09\x01\x04\x01\x04text\x01a\x00"], channel(), 1_000)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        (["%%"], "ops[0]"),
        ([{"retain": 1}], "ops[0]"),
        (["é"], "ops[0]"),
        (["AAAA"] * 51, "ops"),
        (["A" * 60_000, "A" * 60_000], "ops"),
    ],
)
def test_what_is_no_update_in_base64_is_refused_by_its_path(given: list[Any], path: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        rules.updates_of(given)
    assert refused.value.details[0].path == path


def test_who_may_send_may_write() -> None:
    with pytest.raises(ChannelFrozen):
        rules.require_writer("member", frozen=True, by_server=False)
    rules.require_writer("member", frozen=False, by_server=False)
    rules.require_writer("admin", frozen=True, by_server=False)
    rules.require_writer("member", frozen=True, by_server=True)


def test_operations_are_dropped_half_at_a_time() -> None:
    assert [rules.next_kept_after(version, 1, 3) for version in (2, 7, 8)] == [1, 1, 5]


def test_a_repeat_has_to_ask_the_same() -> None:
    asked = rules.request_hash("ot", 1, [{"retain": 1}])
    assert asked == rules.request_hash("ot", 1, [{"retain": 1}])
    assert asked not in {
        rules.request_hash("ot", 2, [{"retain": 1}]),
        rules.request_hash("ot", 1, [{"retain": 2}]),
    }
