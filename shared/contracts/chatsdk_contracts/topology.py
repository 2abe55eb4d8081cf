"""The broker's exchanges, queues, bindings and keys as plain data, and the hashes that spread work.

Declared by chat before its first publish and, from `definitions`, by whoever runs RabbitMQ. Readers of
`chat.events` bind by the five words of a key: two of the type, app, bucket, scope.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final, Literal
from zlib import crc32

LANES: Final = 16
BUCKETS: Final = 1024

# A fuse, not a policy: consumers judge poison themselves, and lost connections also count as deliveries.
DELIVERY_LIMIT: Final = 1000

EVENTS_EXCHANGE: Final = "chat.events"
CONTROL_EXCHANGE: Final = "chat.control"
DEAD_LETTER_EXCHANGE: Final = "chat.dead-letters"
PLAN_QUEUE: Final = "webhook-dispatcher.plan"
METRICS_QUEUE: Final = "metrics.events"

# Keys that are published a second time under the member's own scope, as AMQP CC.
_COPIED_TO_MEMBER: Final = frozenset({"user.joined", "user.left"})
_SCOPES: Final[Mapping[str, str]] = {"channels": "c", "users": "u", "workspaces": "w"}


@dataclass(frozen=True, slots=True)
class Exchange:
    """A durable exchange."""

    name: str
    type: Literal["topic", "direct"]


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable queue with its arguments."""

    name: str
    arguments: Mapping[str, str | int | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Binding:
    """From an exchange to a queue."""

    exchange: str
    queue: str
    routing_key: str


def dead_letter_queue(queue: str) -> str:
    """The queue that keeps what `queue` refused."""
    return f"{queue}.dlq"


def _work_queue(name: str, *, single_active_consumer: bool) -> Queue:
    arguments: dict[str, str | int | bool] = {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": DEAD_LETTER_EXCHANGE,
        "x-dead-letter-routing-key": name,
    }
    if single_active_consumer:
        arguments["x-single-active-consumer"] = True
    return Queue(name, arguments)


EXCHANGES: Final = (
    Exchange(EVENTS_EXCHANGE, "topic"),
    Exchange(CONTROL_EXCHANGE, "topic"),
    Exchange(DEAD_LETTER_EXCHANGE, "direct"),
)
WORK_QUEUES: Final = (
    _work_queue(PLAN_QUEUE, single_active_consumer=True),
    _work_queue(METRICS_QUEUE, single_active_consumer=False),
)
QUEUES: Final = (
    *WORK_QUEUES,
    *(Queue(dead_letter_queue(queue.name), {"x-queue-type": "quorum"}) for queue in WORK_QUEUES),
)
BINDINGS: Final = (
    *(Binding(EVENTS_EXCHANGE, queue.name, "#") for queue in WORK_QUEUES),
    *(Binding(DEAD_LETTER_EXCHANGE, dead_letter_queue(queue.name), queue.name) for queue in WORK_QUEUES),
)


def lane_of(subject: str) -> int:
    """The lane (0..15) that numbers and publishes everything about this subject."""
    return crc32(subject.encode()) % LANES


def bucket_of(aggregate_id: str) -> int:
    """The bucket (0..1023) by which realtime replicas bind the channels and users their sockets need."""
    return crc32(aggregate_id.encode()) % BUCKETS


def user_scope(user_id: str) -> str:
    """The scope word of a user: a hash, because a user id may hold dots or be longer than a key."""
    return "u-" + blake2b(user_id.encode(), digest_size=16).hexdigest()


def scope_of(subject: str) -> str:
    """The scope word of a subject: `c-`, `u-` or `w-` and the id, or `-` for everything else."""
    aggregate, _, aggregate_id = subject.partition("/")
    if aggregate == "users":
        return user_scope(aggregate_id)
    prefix = _SCOPES.get(aggregate)
    return f"{prefix}-{aggregate_id}" if prefix else "-"


def routing_key(event_type: str, app_id: str, subject: str) -> str:
    """`<type>.<appId>.b<bucket>.<scope>`, from what every event's envelope holds."""
    aggregate_id = subject.partition("/")[2]
    return f"{event_type}.{app_id}.b{bucket_of(aggregate_id)}.{scope_of(subject)}"


def copy_keys(event_type: str, app_id: str, user_id: str) -> list[str]:
    """AMQP `CC` of an event: the member's own key for joining and leaving, else none."""
    if event_type not in _COPIED_TO_MEMBER:
        return []
    return [routing_key(event_type, app_id, f"users/{user_id}")]


def definitions(vhost: str = "/") -> dict[str, Any]:
    """Exchanges, queues and bindings in the form of RabbitMQ's definitions.json."""
    return {
        "exchanges": [
            {
                "name": exchange.name,
                "vhost": vhost,
                "type": exchange.type,
                "durable": True,
                "auto_delete": False,
                "internal": False,
                "arguments": {},
            }
            for exchange in EXCHANGES
        ],
        "queues": [
            {
                "name": queue.name,
                "vhost": vhost,
                "durable": True,
                "auto_delete": False,
                "arguments": dict(queue.arguments),
            }
            for queue in QUEUES
        ],
        "bindings": [
            {
                "source": binding.exchange,
                "vhost": vhost,
                "destination": binding.queue,
                "destination_type": "queue",
                "routing_key": binding.routing_key,
                "arguments": {},
            }
            for binding in BINDINGS
        ],
    }
