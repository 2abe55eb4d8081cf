"""How the sender gets a connection: the address guard in aiohttp's resolver and socket factory, and a wary protocol.

`sender.py` puts these parts into its connector. They note what happens in the `DialMarks` of the send in whose
context they run, which is how an attempt learns its phases and the address that was dialled.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import ip_address
from time import monotonic
from typing import Any

from aiohttp import StreamReader
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawResponseMessage

from chatsdk_runtime.outgoing.address_guard import (
    AddressPolicy,
    Refused,
    judge_answers,
    judge_dial,
    judge_name,
)

# All addresses of a name, as text; OSError when there are none. The system's in production.
Lookup = Callable[[str], Awaitable[tuple[str, ...]]]

MAX_DIALLED_ADDRESSES = 8  # of a name with more, the first ones are dialled (all are judged)
MAX_INTERIM_REPLIES = 16  # 1xx heads before the final one
SLICE_BYTES = 16 * 1024  # parsed at a time, so that a flood is noticed before all of it is parsed

AddrInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]


class AddressRefusedError(OSError):
    """The guard's no. An OSError, because that is what aiohttp carries out of a resolver or socket factory."""


class LookupFailedError(OSError):
    """The name has no address, or no answer came in time."""


class ReplyTooLargeError(HttpProcessingError):
    """More 1xx heads than anybody sends."""


class WaryHandler(ResponseHandler):
    """One connection's protocol, with limits that aiohttp leaves open.

    Counts 1xx heads, and drops a connection that sends what nobody asked for: between requests it would fill
    memory, or answer the next request.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.opened_at = 0.0
        self.dialled_address: str | None = None
        self.asked_at = 0.0  # the connection was ready for the request
        self.first_byte_at: float | None = None
        self.exchanges = 0
        self._interim = 0
        self._answer: StreamReader | None = None  # the final reply's body

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.opened_at = monotonic()
        peer = transport.get_extra_info("peername")
        self.dialled_address = peer[0] if peer else None

    def set_response_params(self, **params: Any) -> None:
        """The call of aiohttp right before a request is written: a new exchange begins, in the context of its send."""
        self.asked_at = monotonic()
        self.first_byte_at = None
        self.exchanges += 1
        self._interim = 0
        self._answer = None
        marks = current_marks.get()
        if marks is not None:
            marks.handler = self
            if self.asked_at - self.opened_at > marks.max_age_s:
                self.force_close()
        super().set_response_params(**params)

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """The call of aiohttp for each reply head that was parsed."""
        message, body = data
        if 100 <= message.code < 200 and message.code != 101:
            self._interim += 1
            if self._interim > MAX_INTERIM_REPLIES:
                self.set_exception(ReplyTooLargeError(code=400, message="too many 1xx replies"))
            return  # nobody waits for them: aiohttp would only skip each
        self._answer = body
        super().feed_data(data, size)

    def data_received(self, data: bytes) -> None:
        if not data:  # nothing came: aiohttp resumes its own parser this way
            super().data_received(data)
            return
        if self.first_byte_at is None:
            self.first_byte_at = monotonic()
        if len(data) <= SLICE_BYTES:
            self._take(data)
            return
        for start in range(0, len(data), SLICE_BYTES):
            if not self._take(data[start : start + SLICE_BYTES]):
                return

    def _take(self, data: bytes) -> bool:
        """Feed one slice; False when nothing more is wanted."""
        answer = self._answer
        if self.exception() is not None or self.exchanges == 0 or (answer is not None and answer.is_eof()):
            # Failed already, or bytes without a request: what follows could pass for the next reply.
            self.force_close()
            if self.transport is not None:
                self.transport.abort()
            return False
        super().data_received(data)
        return True


@dataclass(slots=True)
class DialMarks:
    """Notes of one send, in seconds of the monotonic clock; None for what did not happen."""

    max_age_s: float
    lookup_started: float | None = None
    lookup_ended: float | None = None
    dial_started: float | None = None
    tls_started: float | None = None
    handler: WaryHandler | None = None


# A context variable, not an argument: aiohttp has no way to hand one through to resolver, socket and protocol.
# Tasks that it starts on the way inherit the variable, and with it the same marks.
current_marks: ContextVar[DialMarks | None] = ContextVar("current_marks", default=None)


class VettingResolver(AbstractResolver):
    """Resolves a name and gives its addresses only if every one of them may be dialled.

    Never called for literal addresses: those meet the guard in `GuardedSocketFactory`.
    """

    def __init__(self, lookup: Lookup, policy: AddressPolicy, timeout_s: float) -> None:
        self._lookup = lookup
        self._policy = policy
        self._timeout_s = timeout_s

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises AddressRefusedError or LookupFailedError, both of which aiohttp wraps and passes on."""
        by_name = judge_name(host, self._policy)
        if isinstance(by_name, Refused):
            raise AddressRefusedError(f"{host}: {by_name.reason}")
        addresses = await self._look_up(host)
        verdict = judge_answers(host, port, addresses, self._policy)
        if isinstance(verdict, Refused):
            raise AddressRefusedError(
                f"{host} -> {', '.join(addresses[:MAX_DIALLED_ADDRESSES])}: {verdict.reason}"
            )
        return [_result(host, address, port) for address in addresses[:MAX_DIALLED_ADDRESSES]]

    async def close(self) -> None:
        """Nothing is held: the lookup belongs to the sender."""

    async def _look_up(self, host: str) -> tuple[str, ...]:
        marks = current_marks.get()
        if marks is not None:
            marks.lookup_started = monotonic()
        try:
            async with asyncio.timeout(self._timeout_s):
                addresses = await self._lookup(host)
        except TimeoutError as error:
            raise LookupFailedError(f"{host}: no answer within {self._timeout_s:g} s") from error
        except (OSError, UnicodeError, ValueError) as error:
            raise LookupFailedError(f"{host}: {error}") from error
        if marks is not None:
            marks.lookup_ended = monotonic()
        if not addresses:
            raise LookupFailedError(f"{host}: no address")
        return addresses


class GuardedSocketFactory:
    """Makes the socket for an address, or refuses: nothing is dialled that did not pass here.

    Called for literals and names, IPv4 and IPv6 alike, with the very address that is dialled next, so an answer
    of the DNS that changed after it was judged changes nothing.
    """

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy

    def __call__(self, address: AddrInfo) -> socket.socket:
        family, kind, protocol, _, where = address
        verdict = judge_dial(str(where[0]), int(where[1]), self._policy)
        if isinstance(verdict, Refused):
            raise AddressRefusedError(f"{where[0]} port {where[1]}: {verdict.reason}")
        marks = current_marks.get()
        if marks is not None:
            marks.dial_started = monotonic()
        return socket.socket(family, kind, protocol)


class TimedTlsContext(ssl.SSLContext):
    """A client context that notes when a handshake begins, which is when TCP was connected."""

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        marks = current_marks.get()
        if marks is not None:
            marks.tls_started = monotonic()
        return super().wrap_bio(*args, **kwargs)


def tls_context() -> ssl.SSLContext:
    """Certificates and host names are checked against the system's authorities; TLS 1.2 at least; HTTP/1.1 only."""
    context = TimedTlsContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    return context


def _result(host: str, address: str, port: int) -> ResolveResult:
    parsed = ip_address(address)
    return ResolveResult(
        hostname=host,
        host=str(parsed),
        port=port,
        family=socket.AF_INET if parsed.version == 4 else socket.AF_INET6,
        proto=socket.IPPROTO_TCP,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )
