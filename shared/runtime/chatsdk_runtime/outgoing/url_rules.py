"""What a stranger's URL may look like: a pure check with an answer that tells its owner what to change.

Asked when a URL is registered or changed, and again by `sender.py` before each request, so a URL
stored under a wider setting is not dialled under a narrower one. Addresses, ports and names are judged by
`address_guard.py`. A URL that can be read in two ways is refused, never repaired.
"""

import re
import unicodedata
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Literal
from urllib.parse import quote

import idna

from chatsdk_runtime.outgoing.address_guard import (
    AddressPolicy,
    IPAddress,
    Refused,
    judge_address,
    judge_name,
    judge_port,
)

MAX_URL_LENGTH = 2048  # characters, both as given and in the ASCII form that is sent

UrlProblemCode = Literal[
    "url_too_long", "url_malformed", "url_scheme", "url_userinfo", "url_host", "url_port", "url_address"
]

_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_NAME_LENGTH = 253  # RFC 1035 2.3.4, without the final dot

_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<rest>[^#]*)(?P<fragment>#.*)?"
)
_AUTHORITY = re.compile(r"(?:\[(?P<v6>[^\[\]]*)\]|(?P<name>[^:\[\]]*))(?::(?P<port>[0-9]*))?")
# RFC 1123 2.1, and the underscore that container networks use in names.
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
# Everything ASCII that may stand in a path and query as it is (RFC 3986 3.3, 3.4, and what servers bear with).
_KEPT_IN_PATH = "!#$%&'()*+,/:;=?@[]~-._"


_HOST_HINT = (
    "Write the host as a name such as example.com, as an IPv4 address of four decimal numbers, "
    "or as an IPv6 address in brackets."
)


@dataclass(frozen=True, slots=True)
class ParsedTarget:
    """A URL that may be dialled as far as its text tells.

    `host` is in ASCII and lower case, without brackets; `literal` is its address when it is one; `url` is the
    form that is sent: ASCII, no default port, never without a path.
    """

    scheme: Literal["http", "https"]
    host: str
    port: int
    path: str
    url: str
    literal: IPAddress | None


@dataclass(frozen=True, slots=True)
class UrlProblem:
    """Why a URL is refused, and what its owner can do; both texts are meant for the owner."""

    code: UrlProblemCode
    message: str
    hint: str


def check_url(url: str, *, allow_http: bool, policy: AddressPolicy) -> ParsedTarget | UrlProblem:
    """Parse a URL, or say what is wrong with it. Total over all strings."""
    if len(url) > MAX_URL_LENGTH:
        return _too_long()
    unsafe = _unsafe_character(url)
    if unsafe is not None:
        return UrlProblem(
            "url_malformed", f"The URL contains {unsafe}.", "Percent-encode it, or remove it from the URL."
        )
    match = _URL.fullmatch(url)
    if match is None:
        return UrlProblem(
            "url_malformed", "This is not an absolute URL.", "Write it as https://example.com/webhooks."
        )
    scheme = match["scheme"].lower()
    if scheme != "https" and not (scheme == "http" and allow_http):
        return _scheme_problem(scheme, allow_http=allow_http)
    if match["fragment"] is not None:
        return UrlProblem(
            "url_malformed", "The URL has a fragment.", "Remove the part from # on: it is never sent."
        )
    target = _check_authority(match["authority"], scheme, policy)
    if isinstance(target, UrlProblem):
        return target
    host, port, literal = target
    path = quote(match["rest"], safe=_KEPT_IN_PATH)
    if not path.startswith("/"):
        path = f"/{path}"
    canonical = f"{scheme}://{_authority(host, port, scheme)}{path}"
    if len(canonical) > MAX_URL_LENGTH:
        return _too_long()
    return ParsedTarget("https" if scheme == "https" else "http", host, port, path, canonical, literal)


def _check_authority(
    authority: str, scheme: str, policy: AddressPolicy
) -> tuple[str, int, IPAddress | None] | UrlProblem:
    if "@" in authority:
        return UrlProblem(
            "url_userinfo",
            "The URL contains a user name or password.",
            "Remove everything before the @; requests are signed, so a password is not needed.",
        )
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        return _host_problem("The host and port cannot be read.")
    port = _read_port(match["port"], scheme)
    if isinstance(port, UrlProblem):
        return port
    literal = _read_v6(match["v6"]) if match["v6"] is not None else _read_host(match["name"])
    if isinstance(literal, UrlProblem):
        return literal
    if isinstance(literal, str):
        return _check_name(literal, port, policy)
    return _check_literal(literal, port, policy)


def _check_name(name: str, port: int, policy: AddressPolicy) -> tuple[str, int, None] | UrlProblem:
    verdict = judge_name(name, policy)
    if isinstance(verdict, Refused):
        return UrlProblem(
            "url_address",
            f"The host may not be reached: {verdict.reason}.",
            "Use a host name that is public on the Internet.",
        )
    by_port = judge_port(port)
    # With exceptions made, the name may have an excepted address, which has all ports: the sender decides.
    if isinstance(by_port, Refused) and not policy.allowed_networks:
        return _port_problem(by_port.reason)
    return name, port, None


def _check_literal(
    literal: IPAddress, port: int, policy: AddressPolicy
) -> tuple[str, int, IPAddress] | UrlProblem:
    verdict = judge_address(literal, policy)
    if isinstance(verdict, Refused):
        return UrlProblem(
            "url_address",
            f"The address {literal} may not be reached: {verdict.reason}.",
            "Use an address or a host name that is public on the Internet.",
        )
    by_port = judge_port(port)
    if isinstance(by_port, Refused) and not verdict.excepted:
        return _port_problem(by_port.reason)
    return str(literal), port, literal


def _read_port(text: str | None, scheme: str) -> int | UrlProblem:
    if text is None:
        return _DEFAULT_PORTS[scheme]
    if not text or text.startswith("0") or len(text) > 5 or int(text) > 65535:
        return _port_problem("the port is not a number from 1 to 65535 without leading zeros")
    return int(text)


def _read_v6(text: str) -> IPv6Address | UrlProblem:
    try:
        return IPv6Address(text)
    except AddressValueError:
        return _host_problem("What stands in brackets is not an IPv6 address.")


def _read_host(text: str) -> IPv4Address | str | UrlProblem:
    """An IPv4 address in its one canonical spelling, or a host name in ASCII."""
    if not text:
        return _host_problem("The host is empty.")
    if "%" in text:
        return _host_problem("The host contains a percent sign.")
    name = _to_ascii(text)
    if name is None:
        return _host_problem("The host name is not a valid internationalised name.")
    if name.endswith("."):
        return _host_problem("The host ends in a dot.")
    if len(name) > _MAX_NAME_LENGTH or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        return _host_problem("The host name is not valid.")
    last = name.rpartition(".")[2]
    if not last.isdigit() and not last.startswith("0x"):
        return name
    try:
        return IPv4Address(name)
    except AddressValueError:
        return _host_problem(
            "The host looks like an IPv4 address but is not written as four decimal numbers."
        )


def _to_ascii(text: str) -> str | None:
    lowered = text.lower()
    if lowered.isascii() and "xn--" not in lowered:
        return lowered
    try:
        return idna.encode(text, uts46=True).decode("ascii").lower()
    except UnicodeError:  # idna.IDNAError is one
        return None


def _unsafe_character(url: str) -> str | None:
    """The first character that parsers disagree about, in words; None if there is none."""
    for character in url:
        if character == "\\":
            return "a backslash"
        category = unicodedata.category(character)
        # Control, format (bidirectional overrides, zero-width), surrogate, unassigned and private characters.
        if category.startswith("C"):
            return f"the control or invisible character U+{ord(character):04X}"
        if category.startswith("Z"):
            return "white space"
    return None


def _authority(host: str, port: int, scheme: str) -> str:
    bracketed = f"[{host}]" if ":" in host else host
    return bracketed if port == _DEFAULT_PORTS[scheme] else f"{bracketed}:{port}"


def _scheme_problem(scheme: str, *, allow_http: bool) -> UrlProblem:
    if scheme == "http":
        return UrlProblem("url_scheme", "The URL must use https.", "Write https:// instead of http://.")
    wanted = "https or http" if allow_http else "https"
    return UrlProblem("url_scheme", f"The scheme {scheme[:32]} is not supported.", f"Use {wanted}.")


def _host_problem(message: str) -> UrlProblem:
    return UrlProblem("url_host", message, _HOST_HINT)


def _port_problem(reason: str) -> UrlProblem:
    return UrlProblem(
        "url_port",
        f"The port may not be used: {reason}.",
        "Use 443, 80, or a port from 1024 to 65535 on which no well-known internal service listens.",
    )


def _too_long() -> UrlProblem:
    return UrlProblem(
        "url_too_long", f"The URL is longer than {MAX_URL_LENGTH} characters.", "Use a shorter path or query."
    )
