"""What one attempt is made of: the request that goes out, and what came of it. Vocabulary, no behaviour.

Whoever has something to ask prepares an `OutgoingRequest`, `sender.py` turns it into a `Reply` or a `SendFailure`, and
the caller judges either. Nothing a receiver or the network does is an exception here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

FailureKind = Literal[
    "refused_url",  # the URL is not one that may be dialled (any more)
    "refused_address",  # the host, one of its addresses or its port is refused by the address guard
    "dns",  # the name has no address, or its servers gave no answer in time
    "connect",  # no TCP connection: refused, unreachable, or not within its time
    "tls",  # no TLS session: certificate, protocol, or not within its time
    "timeout",  # the deadline of the whole attempt passed
    "reset",  # the connection ended before the whole reply was there
    "protocol",  # what came is not HTTP/1.1
    "too_large",  # the reply's head is larger than any sensible one
    "internal",  # our own fault; the operators' log has the traceback
]


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """One request, complete: the sender adds nothing that a signature covers.

    `headers` hold content type, user agent and signatures; `timeout_s` is the deadline of the whole attempt, from
    the call of `send` to the last byte that is read.
    """

    url: str
    headers: Mapping[str, str]
    body: bytes
    timeout_s: float = 10.0
    method: Literal["GET", "POST"] = "POST"


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds of each phase; None where the phase did not happen (a kept connection) or did not end."""

    dns_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    first_byte_ms: float | None = None  # from the request's last byte handed over to the reply's first


@dataclass(frozen=True, slots=True)
class Reply:
    """The receiver answered, whatever it answered; of the body only the first bytes, exactly as they came."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body_head: bytes
    truncated: bool
    duration_s: float
    timings: Timings = field(default_factory=Timings)
    dialled_address: str | None = None
    resent: bool = False  # a kept connection turned out dead, and the request went out again on a new one


@dataclass(frozen=True, slots=True)
class SendFailure:
    """The receiver did not answer, or not wholly.

    `message` is for whoever gave the URL and coarse on purpose: finer words would make us a scanner of ports and
    inner networks. `detail` is for operators only. `status` is set when a reply had begun.
    """

    kind: FailureKind
    message: str
    detail: str
    duration_s: float
    timings: Timings = field(default_factory=Timings)
    dialled_address: str | None = None
    status: int | None = None
    resent: bool = False


SendResult = Reply | SendFailure
