"""Which URLs may be registered, and in which form they are sent to."""

from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from chatsdk_runtime.outgoing.address_guard import AddressPolicy, Allowed, judge_dial, judge_name
from chatsdk_runtime.outgoing.url_rules import ParsedTarget, UrlProblem, check_url

STRICT = AddressPolicy()
LOOPBACK = AddressPolicy(allowed_networks=(ip_network("127.0.0.0/8"), ip_network("::1/128")))


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://example.com", "https://example.com/"),
        ("https://example.com/", "https://example.com/"),
        ("https://Example.COM:443/Hook", "https://example.com/Hook"),
        ("HTTPS://example.com:8443/a?b=c&d", "https://example.com:8443/a?b=c&d"),
        ("https://example.com?x=1", "https://example.com/?x=1"),
        ("https://bücher.example/grüße", "https://xn--bcher-kva.example/gr%C3%BC%C3%9Fe"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
        ("https://\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45.com/", "https://example.com/"),
        ("https://example.com/a%2Fb%20c", "https://example.com/a%2Fb%20c"),
        ("https://example.com/a/../b", "https://example.com/a/../b"),
        ("https://8.8.8.8/", "https://8.8.8.8/"),
        ("https://[2606:4700:0:0::1111]:8443/x", "https://[2606:4700::1111]:8443/x"),
        ("https://hooks_1.example.com/", "https://hooks_1.example.com/"),
    ],
)
def test_a_good_url_has_one_form_that_is_sent(url: str, sent: str) -> None:
    target = check_url(url, allow_http=False, policy=STRICT)

    assert isinstance(target, ParsedTarget)
    assert target.url == sent


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "url_malformed"),
        ("example.com/hook", "url_malformed"),
        ("//example.com/hook", "url_malformed"),
        ("https:/example.com", "url_malformed"),
        ("https:example.com", "url_malformed"),
        (" https://example.com", "url_malformed"),
        ("https://example.com/\n", "url_malformed"),
        ("https://exa\tmple.com/", "url_malformed"),
        ("https://example.com\\@127.0.0.1/", "url_malformed"),
        ("https://example.com/\x00", "url_malformed"),
        ("https://example.com/\u202e", "url_malformed"),
        ("https://example.com/\ud800", "url_malformed"),
        ("https://exa\u00admple.com/", "url_malformed"),
        ("https://example.com/#part", "url_malformed"),
        ("https://example.com#@127.0.0.1/", "url_malformed"),
        ("http://example.com/", "url_scheme"),
        ("ftp://example.com/", "url_scheme"),
        ("file:///etc/passwd", "url_scheme"),
        ("gopher://example.com/", "url_scheme"),
        ("https://user@example.com/", "url_userinfo"),
        ("https://user:secret@example.com/", "url_userinfo"),
        ("https://example.com:443@127.0.0.1/", "url_userinfo"),
        ("https://@example.com/", "url_userinfo"),
        ("https:///hook", "url_host"),
        ("https://?x", "url_host"),
        ("https://example.com./", "url_host"),
        ("https://example..com/", "url_host"),
        ("https://.example.com/", "url_host"),
        ("https://-example.com/", "url_host"),
        ("https://example-.com/", "url_host"),
        ("https://exam%70le.com/", "url_host"),
        ("https://127.0.0.1%2f.example.com/", "url_host"),
        ("https://exa$mple.com/", "url_host"),
        ("https://exa,mple.com/", "url_host"),
        ("https://xn--a/", "url_host"),
        ("https://[example.com]/", "url_host"),
        ("https://[127.0.0.1]/", "url_host"),
        ("https://[::1/", "url_host"),
        ("https://::1/", "url_host"),
        ("https://[::1]x/", "url_host"),
        ("https://2130706433/", "url_host"),
        ("https://0x7f000001/", "url_host"),
        ("https://0x7f.1/", "url_host"),
        ("https://127.1/", "url_host"),
        ("https://0177.0.0.1/", "url_host"),
        ("https://127.0.0.01/", "url_host"),
        ("https://127.0.0.1./", "url_host"),
        ("https://1.2.3.4.5/", "url_host"),
        ("https://256.1.1.1/", "url_host"),
        ("https://example.0/", "url_host"),
        ("https://" + "a" * 64 + ".com/", "url_host"),
        ("https://" + ".".join(["a" * 60] * 5) + ".com/", "url_host"),
        ("https://example.com:/", "url_port"),
        ("https://example.com:0/", "url_port"),
        ("https://example.com:0443/", "url_port"),
        ("https://example.com:65536/", "url_port"),
        ("https://example.com:99999999999999999999/", "url_port"),
        ("https://example.com:22/", "url_port"),
        ("https://example.com:5432/", "url_port"),
        ("https://8.8.8.8:6379/", "url_port"),
        ("https://127.0.0.1/", "url_address"),
        ("https://\uff11\uff12\uff17.0.0.1/", "url_address"),
        ("https://127。0。0。1/", "url_address"),
        ("https://①②⑦.0.0.1/", "url_address"),
        ("https://169.254.169.254/latest/meta-data", "url_address"),
        ("https://[::1]/", "url_address"),
        ("https://[::ffff:127.0.0.1]/", "url_address"),
        ("https://[::ffff:7f00:1]/", "url_address"),
        ("https://[64:ff9b::10.0.0.1]/", "url_address"),
        ("https://[fe80::1%25eth0]/", "url_address"),
        ("https://localhost/", "url_address"),
        ("https://LOCALHOST/", "url_address"),
        ("https://ⓛocalhost/", "url_address"),
        ("https://receiver/", "url_address"),
        ("https://a.localhost/", "url_address"),
        ("https://vault.internal/", "url_address"),
        ("https://metadata.google.internal/", "url_address"),
        ("https://example.com/" + "a" * 2048, "url_too_long"),
        ("https://example.com/" + "ü" * 1000, "url_too_long"),
    ],
)
def test_a_bad_url_is_refused_with_its_reason(url: str, code: str) -> None:
    problem = check_url(url, allow_http=False, policy=STRICT)

    assert isinstance(problem, UrlProblem), problem
    assert problem.code == code
    assert problem.message.endswith(".")
    assert problem.hint.endswith(".")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:5432/hook",
        "http://localhost:9000/hook",
        "http://[::1]:9000/",
        "http://receiver:9000/",
        "http://receiver:22/",
        "http://example.com/",
    ],
)
def test_exceptions_open_local_receivers_for_development(url: str) -> None:
    assert isinstance(check_url(url, allow_http=True, policy=LOOPBACK), ParsedTarget)


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "http://8.8.8.8:22/", "http://metadata.google.internal/"]
)
def test_exceptions_open_nothing_else(url: str) -> None:
    assert isinstance(check_url(url, allow_http=True, policy=LOOPBACK), UrlProblem)


def test_a_problem_says_what_to_write_instead() -> None:
    problem = check_url("http://example.com/", allow_http=False, policy=STRICT)

    assert problem == UrlProblem(
        "url_scheme", "The URL must use https.", "Write https:// instead of http://."
    )


PIECES = (
    *(
        "https",
        "http",
        ":",
        "/",
        "//",
        "://",
        "@",
        "?",
        "#",
        "\\",
        "%",
        "[",
        "]",
        ".",
        "443",
        "22",
        "a",
        "-",
        "_",
    ),
    *("127.0.0.1", "::1", "0x7f", "example.com", "localhost", "xn--"),
    *("\u3002", "\uff11", "\u200d", "ß", " ", "\t", "\x00"),
)
URL_PARTS = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)


@given(st.one_of(st.text(max_size=60), URL_PARTS, st.builds("https://{}/x".format, URL_PARTS)))
@example("https://[v1.a]/")
@example("https://example.com:\uff14\uff14\uff13/")
def test_what_is_accepted_means_the_same_to_every_parser_and_may_be_dialled(url: str) -> None:
    target = check_url(url, allow_http=True, policy=STRICT)

    if isinstance(target, ParsedTarget):
        assert target.url.isascii()
        assert check_url(target.url, allow_http=True, policy=STRICT) == target
        split, yarl = urlsplit(target.url), URL(target.url, encoded=True)
        assert split.hostname == yarl.raw_host == target.host
        assert (split.port or yarl.port) == yarl.port == target.port
        assert yarl.raw_path_qs == target.path
        assert split.username is yarl.user is None
        if target.literal is None:
            assert judge_name(target.host, STRICT) == Allowed()
        else:
            assert target.literal == ip_address(target.host)
            assert judge_dial(target.literal, target.port, STRICT) == Allowed()
