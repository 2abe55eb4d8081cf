"""What went wrong with a send, in one word of a closed set, and in words for its two readers.

`sender.py` asks here about every exception that aiohttp raised; the word decides nothing but what is recorded.
"""

import ssl
import traceback
from collections.abc import Iterator

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from chatsdk_runtime.outgoing.exchange import FailureKind
from chatsdk_runtime.outgoing.guarded_dial import (
    AddressRefusedError,
    LookupFailedError,
    ReplyTooLargeError,
)

# What the giver of a URL reads. Coarse on purpose, see `SendFailure`.
MESSAGES: dict[FailureKind, str] = {
    "refused_url": "The URL may not be used.",
    "refused_address": "The host may not be reached.",
    "dns": "The host name could not be resolved.",
    "connect": "No connection could be made.",
    "tls": "No secure connection could be made.",
    "timeout": "There was no complete answer in time.",
    "reset": "The connection ended before the answer was complete.",
    "protocol": "The answer was not valid HTTP/1.1.",
    "too_large": "The head of the answer was too large.",
    "internal": "The request could not be sent.",
}

_MAX_DETAIL_LENGTH = 2000


def kind_of(error: Exception) -> FailureKind:
    """The guard's and the resolver's own errors first, which aiohttp wraps; then aiohttp's, the special before the general."""
    for cause in _causes(error):
        if isinstance(cause, AddressRefusedError):
            return "refused_address"
        if isinstance(cause, LookupFailedError):
            return "dns"
        if isinstance(cause, (ReplyTooLargeError, LineTooLong)) or "Too many headers" in str(cause):
            return "too_large"
    return next((kind for classes, kind in _KINDS if isinstance(error, classes)), "internal")


def detail_of(error: Exception) -> str:
    """For operators: all causes, or where it happened when it should not have happened at all."""
    if kind_of(error) == "internal":
        detail = "".join(traceback.format_exception(error, limit=-5))
    else:
        detail = " <- ".join(f"{type(cause).__name__}: {cause}" for cause in _causes(error))
    return detail[:_MAX_DETAIL_LENGTH]


# In this order: aiohttp's timeouts are also TimeoutErrors, its connector errors also OSErrors.
_KINDS: tuple[tuple[tuple[type[Exception], ...], FailureKind], ...] = (
    ((aiohttp.ClientConnectorDNSError,), "dns"),
    ((aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError, ssl.SSLError), "tls"),
    ((aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError), "connect"),
    ((TimeoutError,), "timeout"),
    ((aiohttp.ClientResponseError, HttpProcessingError), "protocol"),
    ((aiohttp.ClientPayloadError, aiohttp.ClientConnectionError, OSError), "reset"),
)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__
