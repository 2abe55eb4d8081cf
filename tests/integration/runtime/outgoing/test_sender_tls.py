"""The sender over TLS: certificates are checked, and what is wrong with them is the operators' to read."""

import ssl
import warnings

import pytest

from chatsdk_runtime.outgoing.exchange import Reply, SendFailure
from chatsdk_runtime.outgoing.guarded_dial import tls_context
from chatsdk_runtime.outgoing.sender import Sender, SenderLimits
from tests.fixtures.certificates import Authority
from tests.fixtures.hostility import close, hang, reset, say
from tests.fixtures.receiver import Behaviour, Receiver
from tests.fixtures.sending import THIS_MACHINE, Names, make_request

NAME = "hooks.example.com"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def secure_sender(authority: Authority, limits: SenderLimits | None = None) -> Sender:
    names = Names()
    names.answer(NAME, ["127.0.0.1"])
    tls = tls_context()
    tls.load_verify_locations(cadata=authority.pem)
    return Sender(THIS_MACHINE, limits=limits, lookup=names, tls=tls)


async def test_a_trusted_receiver_is_served_and_the_handshake_is_timed(authority: Authority) -> None:
    async with Receiver(tls=authority.server(NAME)) as receiver, secure_sender(authority) as sender:
        first, second = [
            await sender.send(make_request(f"https://{NAME}:{receiver.port}/")) for _ in range(2)
        ]

        assert receiver.connections == 1
        assert receiver.received[0].headers["host"] == f"{NAME}:{receiver.port}"
    assert isinstance(first, Reply)
    assert first.timings.connect_ms is not None
    assert first.timings.tls_ms is not None
    assert second.timings.tls_ms is None


async def test_an_address_in_the_certificate_is_as_good_as_a_name(authority: Authority) -> None:
    async with Receiver(tls=authority.server("127.0.0.1")) as receiver, secure_sender(authority) as sender:
        result = await sender.send(make_request(receiver.url))

    assert isinstance(result, Reply)


@pytest.mark.parametrize(
    ("names", "expired", "trusted"),
    [
        pytest.param((NAME,), True, True, id="expired"),
        pytest.param((NAME,), False, False, id="signed by itself"),
        pytest.param(("other.example.com",), False, True, id="another name"),
        pytest.param(("127.0.0.1",), False, True, id="the address instead of the name"),
    ],
)
async def test_a_certificate_that_does_not_prove_the_host_is_refused(
    authority: Authority, names: tuple[str, ...], expired: bool, trusted: bool
) -> None:
    tls = authority.server(*names, expired=expired, trusted=trusted)
    async with Receiver(tls=tls) as receiver, secure_sender(authority) as sender:
        result = await sender.send(make_request(f"https://{NAME}:{receiver.port}/"))

        assert receiver.received == []
    assert isinstance(result, SendFailure)
    assert result.kind == "tls"
    assert result.message == "No secure connection could be made."
    assert "certificate verify failed" in result.detail


async def test_an_old_protocol_version_is_refused(authority: Authority) -> None:
    tls = authority.server(NAME)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python warns of the versions that this is about
        tls.maximum_version = ssl.TLSVersion.TLSv1_1
        tls.minimum_version = ssl.TLSVersion.TLSv1
    async with Receiver(tls=tls) as receiver, secure_sender(authority) as sender:
        result = await sender.send(make_request(f"https://{NAME}:{receiver.port}/"))

    assert isinstance(result, SendFailure)
    assert result.kind == "tls"


@pytest.mark.parametrize(
    ("behaviour", "kinds"),
    [
        pytest.param(hang, {"tls"}, id="never shakes hands"),
        pytest.param(say(b"HTTP/1.1 400 X\r\n\r\n"), {"tls"}, id="speaks plain HTTP"),
        pytest.param(close, {"tls", "connect"}, id="closes"),
        pytest.param(reset, {"tls", "connect"}, id="resets"),
    ],
)
async def test_a_receiver_without_tls_is_a_failure(
    authority: Authority, behaviour: Behaviour, kinds: set[str]
) -> None:
    async with Receiver() as receiver, secure_sender(authority, SenderLimits(connect_s=0.3)) as sender:
        receiver.at_connect(behaviour)
        result = await sender.send(make_request(f"https://{NAME}:{receiver.port}/"))

    assert isinstance(result, SendFailure)
    assert result.kind in kinds
    assert result.duration_s < 2
