"""Which webhooks an event goes to. Pure; `plan.py` asks it for each event of a batch.

A registration names exact event types, `*`, or a prefix such as `message.*`. What the dispatcher itself reports
about a webhook never goes to that webhook.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from chatsdk_contracts.catalogue import EPHEMERAL_EVENT_TYPES, EPHEMERAL_LIFETIME_S
from webhook_dispatcher.dispatch.endpoint_rules import EndpointState

_LIFETIME: Final = timedelta(seconds=EPHEMERAL_LIFETIME_S)

FilterReason = Literal["other_app", "type", "about_itself", "off"]


@dataclass(frozen=True, slots=True)
class Registration:
    """What planning knows of a webhook. `failing` and `gone` still match: their deliveries are held.

    An event older than `deadline_s` seconds is of no use to it any more. With `is_ordered` events of one channel come
    one after the other; one that was parked holds up those behind it unless `parks_aside`.
    """

    webhook_id: str
    app_id: str
    events: frozenset[str]
    state: EndpointState = "active"
    deadline_s: int | None = None
    is_ordered: bool = False
    parks_aside: bool = False


@dataclass(frozen=True, slots=True)
class EventHead:
    """What matching looks at. `about_webhook_id` is set on the dispatcher's own events about one webhook."""

    app_id: str
    type: str
    about_webhook_id: str | None = None


@dataclass(frozen=True, slots=True)
class Matched:
    """A delivery is due."""


@dataclass(frozen=True, slots=True)
class Filtered:
    """No delivery, and why; `off` is the one reason that is counted for the owner, as skipped."""

    why: FilterReason


@dataclass(frozen=True, slots=True)
class Route:
    """Where one event goes: deliveries are planned for `to`, and counted as skipped for `skipped`."""

    to: tuple[Registration, ...] = ()
    skipped: tuple[Registration, ...] = ()


def is_over(event_type: str, happened_at: datetime, now: datetime) -> bool:
    """Whether an event tells of what is over: that somebody typed a minute ago is of use to nobody."""
    return event_type in EPHEMERAL_EVENT_TYPES and now - happened_at > _LIFETIME


def expiry_of(event_type: str, happened_at: datetime, deadline_s: int | None) -> datetime | None:
    """When a delivery is no longer attempted; None for one that is kept until it is done.

    What passes by itself, such as typing, is not told for longer than it lasts, whatever the webhook says.
    """
    limits = [] if deadline_s is None else [timedelta(seconds=deadline_s)]
    if event_type in EPHEMERAL_EVENT_TYPES:
        limits.append(_LIFETIME)
    return happened_at + min(limits) if limits else None


def covers(pattern: str, event_type: str) -> bool:
    """Whether one entry of a webhook's `events` takes in this type: exact, `*`, or `<prefix>.*`."""
    if pattern == "*":
        return True
    if pattern.endswith(".*"):
        return event_type.startswith(pattern[:-1])
    return pattern == event_type


def matches(registration: Registration, head: EventHead) -> Matched | Filtered:
    """Decide for one pair. `off` comes last, so that it is said only of events that were asked for."""
    if registration.app_id != head.app_id:
        return Filtered("other_app")
    if not any(covers(pattern, head.type) for pattern in registration.events):
        return Filtered("type")
    if registration.webhook_id == head.about_webhook_id:
        return Filtered("about_itself")
    if registration.state == "off":
        return Filtered("off")
    return Matched()


@dataclass(slots=True)
class _AppRegistrations:
    version: int
    registrations: tuple[Registration, ...]
    routes: dict[str, Route] = field(default_factory=dict)  # by event type


class RegistrationIndex:
    """app -> type -> route, so that an event costs two look-ups however many webhooks there are.

    Holds one version of an app's registrations at a time; the planner compares `version` with the one its
    transaction reads and calls `put` when it is behind. Gives the same answers as `matches` for each pair.
    """

    def __init__(self) -> None:
        self._apps: dict[str, _AppRegistrations] = {}

    def put(self, app_id: str, version: int, registrations: Iterable[Registration]) -> None:
        """Replace all that is known of an app."""
        self._apps[app_id] = _AppRegistrations(version, tuple(registrations))

    def forget(self, app_id: str) -> None:
        """Drop an app; unknown ones are no error."""
        self._apps.pop(app_id, None)

    def version(self, app_id: str) -> int | None:
        """The version held for an app; None if it was never put."""
        app = self._apps.get(app_id)
        return None if app is None else app.version

    def route(self, head: EventHead) -> Route:
        """Where this event goes; nowhere if its app is not held."""
        app = self._apps.get(head.app_id)
        if app is None:
            return Route()
        if head.about_webhook_id is not None:  # rare, and different for each event: not kept
            return _route(app.registrations, head)
        route = app.routes.get(head.type)
        if route is None:
            route = app.routes[head.type] = _route(app.registrations, head)
        return route


def _route(registrations: tuple[Registration, ...], head: EventHead) -> Route:
    verdicts = [(registration, matches(registration, head)) for registration in registrations]
    return Route(
        to=tuple(registration for registration, verdict in verdicts if isinstance(verdict, Matched)),
        skipped=tuple(registration for registration, verdict in verdicts if verdict == Filtered("off")),
    )
