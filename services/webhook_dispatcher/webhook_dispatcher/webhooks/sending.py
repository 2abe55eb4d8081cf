"""How a webhook is sent to, as its owner chose it: retries, deadline, order, rate. Pure.

A choice that is given as null, or never given, is the default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from chatsdk_runtime.errors import FieldProblem, InvalidInput
from chatsdk_runtime.postgres import Row
from webhook_dispatcher.dispatch.ladder import custom_ladder, named_ladder

_WAITS_HINT = "Take `quick` or `standard` and leave `waitsS` out, or `custom` with 1 to 50 waits in seconds."
_PARK_HINT = "Say `ordering: channel` as well, or leave `parkAfter` out."


@dataclass(frozen=True, slots=True)
class Sending:
    """The choices as they are stored."""

    ladder: str = "quick"
    waits_s: tuple[float, ...] | None = None
    deadline_s: int | None = None
    ordering: str = "none"
    park_after: int | None = None
    rate_per_s: float | None = None
    rate_burst: int | None = None


def stored(row: Row) -> Sending:
    """What a webhook's row holds."""
    waits_s = row["waits_s"]
    return Sending(
        row["ladder"],
        None if waits_s is None else tuple(waits_s),
        row["deadline_s"],
        row["ordering"],
        row["park_after"],
        row["rate_per_s"],
        row["rate_burst"],
    )


def changed(before: Sending, fields: Mapping[str, Any]) -> Sending:
    """The choices with those of a request's body.

    Raises:
        InvalidInput: for waits that are no ladder, or a policy for an order that is not asked for.
    """
    after = before
    if "retry" in fields:
        after = _retried(after, fields["retry"])
    if "deadlineS" in fields:
        after = replace(after, deadline_s=fields["deadlineS"])
    if "ordering" in fields:
        after = replace(after, ordering=fields["ordering"] or "none")
    if "parkAfter" in fields:
        after = replace(after, park_after=fields["parkAfter"])
    if "rateLimit" in fields:
        rate = fields["rateLimit"] or {}
        after = replace(after, rate_per_s=rate.get("perS"), rate_burst=rate.get("burst"))
    if after.park_after is not None and after.ordering == "none":
        if fields.get("parkAfter") is not None:
            raise _invalid(
                "parkAfter", "no_order", "nothing waits for a delivery where there is no order", _PARK_HINT
            )
        after = replace(after, park_after=None)
    return after


def shown(sending: Sending) -> dict[str, Any]:
    """The choices as the API shows them."""
    ladder = named_ladder(sending.ladder, sending.waits_s)
    is_limited = sending.rate_per_s is not None
    return {
        "retry": {"ladder": ladder.name, "waitsS": ladder.waits_s},
        "deadlineS": sending.deadline_s,
        "ordering": sending.ordering,
        "parkAfter": sending.park_after,
        "rateLimit": {"perS": sending.rate_per_s, "burst": sending.rate_burst} if is_limited else None,
    }


def _retried(before: Sending, retry: Mapping[str, Any] | None) -> Sending:
    ladder, waits_s = ("quick", None) if retry is None else (retry["ladder"], retry.get("waitsS"))
    if ladder != "custom":
        if waits_s is not None:
            problem = f"the {ladder} ladder has waits of its own"
            raise _invalid("retry.waitsS", "unexpected_waits", problem, _WAITS_HINT)
        return replace(before, ladder=ladder, waits_s=None)
    try:
        own = custom_ladder(tuple(waits_s or ()))
    except ValueError as problem:
        raise _invalid("retry.waitsS", "invalid_waits", str(problem), _WAITS_HINT) from None
    return replace(before, ladder=ladder, waits_s=own.waits_s)


def _invalid(path: str, code: str, problem: str, hint: str) -> InvalidInput:
    return InvalidInput(f"{path}: {problem}", hint=hint, details=[FieldProblem(path, code, problem)])
