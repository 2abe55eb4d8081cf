"""Operational transformation: what each does in cases that a person can check, and the laws on whatever is made up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.collab import ot
from chat_service.collab.ot import Operation

TEXTS = st.text(alphabet="ab é😀𝄞", max_size=12)


@st.composite
def operations_on(draw: st.DrawFn, text: str) -> Operation:
    """Any operation that was made for this text."""
    components: list[int | str] = []
    left = len(text)
    while left or draw(st.booleans()):
        if draw(st.booleans()):
            components.append(draw(st.text(alphabet="xy🎉", min_size=1, max_size=3)))
        if left:
            size = draw(st.integers(1, left))
            components.append(size if draw(st.booleans()) else -size)
            left -= size
    return ot.normalised(components)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[str, Operation, Operation]:
    """A text and two operations that were made for it at once."""
    text = draw(TEXTS)
    return text, draw(operations_on(text)), draw(operations_on(text))


@st.composite
def chains(draw: st.DrawFn) -> tuple[str, Operation, Operation]:
    """A text and two operations, the second made for what the first leaves."""
    text = draw(TEXTS)
    first = draw(operations_on(text))
    return text, first, draw(operations_on(ot.apply(text, first)))


@given(pairs())
def test_both_orders_lead_to_the_same_text(made: tuple[str, Operation, Operation]) -> None:
    text, first, second = made
    first_after, second_after = ot.transform(first, second)

    assert ot.apply(ot.apply(text, first), second_after) == ot.apply(ot.apply(text, second), first_after)
    assert ot.normalised(first_after) == first_after
    assert ot.normalised(second_after) == second_after


@given(chains())
def test_a_composed_operation_does_what_the_two_do(made: tuple[str, Operation, Operation]) -> None:
    text, first, second = made
    both = ot.compose(first, second)

    assert ot.apply(text, both) == ot.apply(ot.apply(text, first), second)
    assert ot.normalised(both) == both


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((2, "X"), (2, "Y"), "abXY"),
        (("X", 2), (2, "Y"), "XabY"),
        ((-2,), (1, "Y", 1), "Y"),
        ((-2,), (-1, 1), ""),
        ((1, -1), (-1, 1), ""),
        ((-1, "X", 1), (2,), "Xb"),
    ],
)
def test_what_two_people_did_to_ab_at_once(first: Operation, second: Operation, expected: str) -> None:
    first, second = ot.normalised(first), ot.normalised(second)
    _, second_after = ot.transform(first, second)

    assert ot.apply(ot.apply("ab", first), second_after) == expected


def test_the_normal_form_joins_neighbours_and_inserts_before_it_deletes() -> None:
    assert ot.normalised([1, 2, 0, -1, "x", -2, "", "y", 3]) == (3, "xy", -3, 3)
    assert ot.base_length((3, "xy", -3, 3)) == 9


def test_what_was_made_for_another_text_is_refused() -> None:
    with pytest.raises(ValueError, match="spans 3 code points of a text that has 2"):
        ot.apply("😀b", (3,))
    with pytest.raises(ValueError, match="spans 1"):
        ot.transform((2,), (1,))
    with pytest.raises(ValueError, match="spans 2"):
        ot.compose((2, "x"), (2,))
