"""Which webhooks get an event, and why the others do not."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_dispatcher.dispatch.endpoint_rules import EndpointState
from webhook_dispatcher.dispatch.matching import (
    EventHead,
    Filtered,
    Matched,
    Registration,
    RegistrationIndex,
    Route,
    covers,
    expiry_of,
    is_over,
    matches,
)

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def webhook(
    *events: str, webhook_id: str = "w1", app_id: str = "app", state: EndpointState = "active"
) -> Registration:
    return Registration(webhook_id=webhook_id, app_id=app_id, events=frozenset(events), state=state)


def head(event_type: str = "message.new", app_id: str = "app", about: str | None = None) -> EventHead:
    return EventHead(app_id=app_id, type=event_type, about_webhook_id=about)


@pytest.mark.parametrize(
    ("pattern", "event_type", "expected"),
    [
        ("message.new", "message.new", True),
        ("message.new", "message.updated", False),
        ("message.new", "message.new.extra", False),
        ("*", "message.new", True),
        ("*", "webhook.disabled", True),
        ("message.*", "message.new", True),
        ("message.*", "message", False),
        ("message.*", "messages.new", False),
        ("message.*", "user.joined", False),
        (".*", "message.new", False),
        ("message*", "message.new", False),
        ("*.new", "message.new", False),
        ("", "message.new", False),
        ("Message.new", "message.new", False),
    ],
)
def test_patterns_are_exact_types_a_star_or_a_prefix(pattern: str, event_type: str, expected: bool) -> None:
    assert covers(pattern, event_type) is expected


@pytest.mark.parametrize("state", ["active", "failing", "gone"])
def test_a_webhook_that_is_not_off_gets_what_it_asked_for(state: EndpointState) -> None:
    assert matches(webhook("message.new", state=state), head()) == Matched()


@pytest.mark.parametrize(
    ("registration", "event", "why"),
    [
        pytest.param(webhook("*", app_id="other"), head(), "other_app", id="another app"),
        pytest.param(webhook("user.*"), head(), "type", id="another type"),
        pytest.param(webhook(), head(), "type", id="no types"),
        pytest.param(webhook("*"), head("webhook.disabled", about="w1"), "about_itself", id="about itself"),
        pytest.param(webhook("*", state="off"), head(), "off", id="off"),
        pytest.param(webhook("user.*", state="off"), head(), "type", id="off and not asked for"),
        pytest.param(
            webhook("*", app_id="other", state="off"), head(), "other_app", id="off and another app"
        ),
    ],
)
def test_what_is_filtered_says_why(registration: Registration, event: EventHead, why: str) -> None:
    verdict = matches(registration, event)

    assert isinstance(verdict, Filtered)
    assert verdict.why == why


def test_an_operational_event_goes_to_the_other_webhooks_only() -> None:
    index = RegistrationIndex()
    mine, other = webhook("*", webhook_id="w1"), webhook("webhook.*", webhook_id="w2")
    index.put("app", 1, [mine, other])

    assert index.route(head("webhook.disabled", about="w1")) == Route(to=(other,))
    assert index.route(head("webhook.disabled", about="w2")) == Route(to=(mine,))


def test_a_new_version_replaces_all_that_was_known_of_the_app() -> None:
    index = RegistrationIndex()
    index.put("app", 1, [webhook("*")])
    assert index.route(head()).to

    index.put("app", 2, [webhook("*", state="off")])

    assert index.version("app") == 2
    assert index.route(head()) == Route(skipped=(webhook("*", state="off"),))


def test_an_unknown_or_forgotten_app_has_no_route() -> None:
    index = RegistrationIndex()
    index.put("app", 1, [webhook("*")])
    index.forget("app")
    index.forget("never put")

    assert index.version("app") is None
    assert index.route(head()) == Route()


APPS = st.sampled_from(["a", "b"])
IDS = st.sampled_from(["w1", "w2", "w3"])
TYPES = st.sampled_from(["message.new", "message.read", "user.joined", "webhook.disabled"])
PATTERNS = st.frozensets(
    st.sampled_from(["*", "message.*", "user.*", "message.new", "user.joined", "webhook.disabled"]),
    max_size=3,
)
STATES: st.SearchStrategy[EndpointState] = st.sampled_from(["active", "failing", "gone", "off"])
REGISTRATIONS = st.lists(
    st.builds(Registration, webhook_id=IDS, app_id=APPS, events=PATTERNS, state=STATES), max_size=8
)
HEADS = st.lists(
    st.builds(EventHead, app_id=APPS, type=TYPES, about_webhook_id=st.none() | IDS), min_size=1, max_size=8
)


@given(REGISTRATIONS, HEADS)
def test_the_index_answers_as_matching_each_pair_does(
    registrations: list[Registration], heads: list[EventHead]
) -> None:
    index = RegistrationIndex()
    for app_id in ("a", "b"):
        index.put(app_id, 1, [one for one in registrations if one.app_id == app_id])

    for event in heads:
        route = index.route(event)
        assert list(route.to) == [one for one in registrations if matches(one, event) == Matched()]
        assert list(route.skipped) == [one for one in registrations if matches(one, event) == Filtered("off")]


@pytest.mark.parametrize(
    ("event_type", "age_s", "expected"),
    [
        ("typing.start", 0, False),
        ("typing.stop", 60, False),
        ("typing.stop", 61, True),
        ("presence.changed", 61, True),
        # What is in the log is delivered however late.
        ("message.new", 86_400, False),
        ("message.read", 86_400, False),
        # A type newer than this release may be one of those.
        ("tomorrow.came", 86_400, False),
    ],
)
def test_only_what_is_published_and_forgotten_is_ever_too_late(
    event_type: str, age_s: int, *, expected: bool
) -> None:
    assert is_over(event_type, NOW - timedelta(seconds=age_s), NOW) is expected


@pytest.mark.parametrize(
    ("event_type", "deadline_s", "expected_s"),
    [
        ("message.new", None, None),
        ("message.new", 5, 5),
        ("typing.start", None, 60),
        ("typing.start", 5, 5),
        ("typing.start", 600, 60),
    ],
)
def test_a_delivery_ends_with_its_webhooks_deadline_or_with_what_it_tells(
    event_type: str, deadline_s: int | None, expected_s: int | None
) -> None:
    expected = None if expected_s is None else NOW + timedelta(seconds=expected_s)
    assert expiry_of(event_type, NOW, deadline_s) == expected
