"""What is refused for being too much; beside `chat_service.errors`, and rendered like those."""

from __future__ import annotations

import math

from chat_service.limits.rates import Action, Per, Rate
from chatsdk_runtime.errors import FieldProblem, TooManyRequests

_NAMES: dict[Action, str] = {
    "send": "messages",
    "write": "changes",
    "read": "reads",
    "search": "searches",
    "upload": "uploads",
}


class RateLimited(TooManyRequests):
    """A bucket is empty; nothing was done."""

    def __init__(self, action: Action, per: Per, rate: Rate, wait_s: float) -> None:
        allowed = f"{rate.per_second:g} a second, and {rate.burst} at once after a rest"
        wait_ms = max(1, math.ceil(wait_s * 1_000))
        super().__init__(
            f"Too many {_NAMES[action]} of this {per}: allowed are {allowed}.",
            hint=f"Send the same request again after {wait_ms} ms; Retry-After says it in whole seconds.",
            details=[FieldProblem(f"{action}.{per}", "bucket_empty", f"allowed are {allowed}")],
            headers={"Retry-After": str(math.ceil(wait_ms / 1_000))},
            extra={"retryAfterMs": wait_ms},
        )
