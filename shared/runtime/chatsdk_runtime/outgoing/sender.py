"""The one place that talks to strangers: sends a request, and brings back what came of it as a value.

Webhooks, hooks and link previews all go through here. One deadline covers everything from the name's look-up to the
last byte read; redirects, cookies, compression and proxies from the environment do not exist here.
"""

import asyncio
import functools
import ssl
from dataclasses import dataclass
from time import monotonic
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.resolver import AsyncResolver
from yarl import URL

from chatsdk_runtime.outgoing.address_guard import AddressPolicy
from chatsdk_runtime.outgoing.exchange import (
    FailureKind,
    OutgoingRequest,
    Reply,
    SendFailure,
    SendResult,
    Timings,
)
from chatsdk_runtime.outgoing.failure_naming import MESSAGES, detail_of, kind_of
from chatsdk_runtime.outgoing.guarded_dial import (
    DialMarks,
    GuardedSocketFactory,
    Lookup,
    VettingResolver,
    WaryHandler,
    current_marks,
    tls_context,
)
from chatsdk_runtime.outgoing.url_rules import UrlProblem, check_url

_FIXED_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity"}
_REDACTED_HEADERS = frozenset({"set-cookie", "set-cookie2", "authorization", "proxy-authorization"})
_MAX_KEPT_HEADERS = 64
_MAX_KEPT_HEADER_LENGTH = 1024


@dataclass(frozen=True, slots=True)
class SenderLimits:
    """What one receiver can cost at most, beside the deadline of its request."""

    dns_s: float = 5.0
    dns_ttl_s: int = 10  # answers are reused for so long, once vetted; 0 asks for every connection
    connect_s: float = 5.0  # TCP and TLS together, per request
    idle_s: float = 15.0  # a kept connection unused for so long is closed
    connection_age_s: float = (
        45.0  # an older one is not kept: with idle_s, DNS changes are noticed within 60 s
    )
    body_bytes: int = 16 * 1024  # of a reply's body; then the connection is closed
    head_line_bytes: int = 8190
    head_lines: int = 100


class Sender:
    """Sends requests over one pool of connections. Made and closed on the event loop that uses it.

    Concurrency is not limited here: the caller has a budget per endpoint.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        *,
        allow_http: bool = False,
        limits: SenderLimits | None = None,
        lookup: Lookup | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`lookup` and `tls` are the system's unless given: tests bring their own names and authority."""
        self._policy = policy
        self._allow_http = allow_http
        self._limits = limits or SenderLimits()
        self._own_resolver = AsyncResolver() if lookup is None else None
        self._session = self._open_session(lookup or self._look_up, tls or tls_context())
        # A URL is parsed once, not once per request; bounded, because there may be many.
        self._target = functools.lru_cache(maxsize=10_000)(self._parse)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; requests under way fail as `reset`. No `send` may follow."""
        await self._session.close()
        if self._own_resolver is not None:
            await self._own_resolver.close()

    async def send(self, request: OutgoingRequest) -> SendResult:
        """Send the request. Whatever the receiver or the network does is a `SendFailure`, never an exception.

        RuntimeError if the sender is closed; a cancellation passes through.
        """
        if self._session.closed:
            raise RuntimeError("the sender is closed")
        attempt = _Attempt(DialMarks(self._limits.connection_age_s), monotonic())
        current_marks.set(attempt.marks)
        target = self._target(request.url)
        if isinstance(target, UrlProblem):
            return attempt.failure("refused_url", f"{target.code}: {target.message}")
        try:
            async with asyncio.timeout(request.timeout_s):
                return await self._send(target, request, attempt)
        except Exception as error:  # noqa: BLE001 - a hostile reply must not stop its caller, whatever it provokes
            kind = kind_of(error)
            if kind == "connect" and attempt.marks.tls_started is not None:
                kind = "tls"  # TCP was there; aiohttp's timeout covers both and tells neither
            return attempt.failure(kind, detail_of(error))
        finally:
            current_marks.set(None)

    async def _send(self, target: URL, request: OutgoingRequest, attempt: "_Attempt") -> Reply:
        try:
            return await self._exchange(target, request, attempt)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            if isinstance(error, aiohttp.ClientConnectorError) or not attempt.met_a_dead_connection():
                raise
        # The receiver closed a kept connection while our request was on its way (RFC 9112 9.3.1). The request
        # carries its id, so sending it again at once is safe, and fairer than counting a failure.
        attempt.resent = True
        return await self._exchange(target, request, attempt)

    async def _exchange(self, target: URL, request: OutgoingRequest, attempt: "_Attempt") -> Reply:
        response = await self._session.request(
            request.method,
            target,
            data=request.body or None,
            headers={**request.headers, **_FIXED_HEADERS},
            allow_redirects=False,
        )
        attempt.status = response.status
        try:
            # 101 has no body and no end: whatever follows it is another protocol.
            head = b"" if response.status < 200 else await _read_head(response, self._limits.body_bytes + 1)
        finally:
            # Closes the connection unless the reply was read to its end, in which case it is already in the pool.
            response.close()
        kept = self._limits.body_bytes
        return attempt.reply(
            response.status, _kept_headers(response), head[:kept], truncated=len(head) > kept
        )

    def _parse(self, url: str) -> URL | UrlProblem:
        target = check_url(url, allow_http=self._allow_http, policy=self._policy)
        return target if isinstance(target, UrlProblem) else URL(target.url, encoded=True)

    def _open_session(self, lookup: Lookup, tls: ssl.SSLContext) -> aiohttp.ClientSession:
        limits = self._limits
        connector = aiohttp.TCPConnector(
            resolver=VettingResolver(lookup, self._policy, limits.dns_s),
            socket_factory=GuardedSocketFactory(self._policy),
            ssl=tls,
            use_dns_cache=limits.dns_ttl_s > 0,
            ttl_dns_cache=limits.dns_ttl_s,
            limit=0,
            keepalive_timeout=limits.idle_s,
        )
        # aiohttp's one seam for a connection's protocol is private; test_sender.py fails if it moves.
        connector._factory = functools.partial(  # type: ignore[assignment]  # noqa: SLF001
            WaryHandler, asyncio.get_running_loop()
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Content-Type"),
            # The deadline is `asyncio.timeout` in `send`: aiohttp's own rounds up to whole seconds.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=limits.connect_s),
            read_bufsize=limits.body_bytes,
            max_line_size=limits.head_line_bytes,
            max_field_size=limits.head_line_bytes,
            max_headers=limits.head_lines,
        )

    async def _look_up(self, host: str) -> tuple[str, ...]:
        # c-ares, not threads: names whose servers never answer would fill any pool of threads.
        assert self._own_resolver is not None
        return tuple(result["host"] for result in await self._own_resolver.resolve(host))


@dataclass(slots=True)
class _Attempt:
    """What is known of a send while it runs."""

    marks: DialMarks
    started: float
    status: int | None = None
    resent: bool = False

    def met_a_dead_connection(self) -> bool:
        handler = self.marks.handler
        return (
            not self.resent
            and self.status is None
            and handler is not None
            and handler.exchanges > 1
            and handler.first_byte_at is None
        )

    def reply(
        self, status: int, headers: tuple[tuple[str, str], ...], body_head: bytes, *, truncated: bool
    ) -> Reply:
        handler = self.marks.handler
        return Reply(
            status=status,
            headers=headers,
            body_head=body_head,
            truncated=truncated,
            duration_s=monotonic() - self.started,
            timings=_timings(self.marks),
            dialled_address=None if handler is None else handler.dialled_address,
            resent=self.resent,
        )

    def failure(self, kind: FailureKind, detail: str) -> SendFailure:
        handler = self.marks.handler
        return SendFailure(
            kind=kind,
            message=MESSAGES[kind],
            detail=detail,
            duration_s=monotonic() - self.started,
            timings=_timings(self.marks),
            dialled_address=None if handler is None else handler.dialled_address,
            status=self.status,
            resent=self.resent,
        )


async def _read_head(response: aiohttp.ClientResponse, wanted: int) -> bytes:
    """The body's first `wanted` bytes, or all of it if it is shorter."""
    content = response.content
    head = await content.read(wanted)
    while len(head) < wanted and not content.at_eof():
        head += await content.read(wanted - len(head))
    return head


def _kept_headers(response: aiohttp.ClientResponse) -> tuple[tuple[str, str], ...]:
    """Bounded, without credentials, and valid text even where the receiver's bytes were not."""
    kept: list[tuple[str, str]] = []
    for name, value in response.headers.items():
        if len(kept) == _MAX_KEPT_HEADERS:
            break
        if name.lower() in _REDACTED_HEADERS:
            kept.append((_as_text(name), "[redacted]"))
        else:
            kept.append((_as_text(name), _as_text(value)))
    return tuple(kept)


def _as_text(value: str) -> str:
    if not value.isascii():
        value = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return value[:_MAX_KEPT_HEADER_LENGTH]


def _timings(marks: DialMarks) -> Timings:
    handler = marks.handler
    dialled = marks.dial_started is not None
    ready = handler.opened_at if handler is not None and dialled else None
    return Timings(
        dns_ms=_span_ms(marks.lookup_started, marks.lookup_ended),
        connect_ms=_span_ms(marks.dial_started, marks.tls_started or ready),
        tls_ms=_span_ms(marks.tls_started, ready),
        first_byte_ms=None if handler is None else _span_ms(handler.asked_at, handler.first_byte_at),
    )


def _span_ms(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else round((end - start) * 1000, 3)
