"""What the sender does not dial, by whatever name it is called, and what it tells whom about that."""

import asyncio
import socket
from ipaddress import ip_network

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from chatsdk_runtime.outgoing.address_guard import AddressPolicy
from chatsdk_runtime.outgoing.exchange import Reply, SendFailure
from chatsdk_runtime.outgoing.guarded_dial import AddressRefusedError, GuardedSocketFactory
from chatsdk_runtime.outgoing.sender import Sender, SenderLimits
from tests.fixtures.receiver import Receiver
from tests.fixtures.sending import NOTHING_EXCEPTED, THIS_MACHINE, Names, local_sender, make_request


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1.2.3",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "localhost",
        "LocalHost",
        "localhost.",
        "a.localhost",
        "receiver",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "\uff11\uff12\uff17.0.0.1",
        "127\u30020\u30020\u30021",
        "user@127.0.0.1",
        "8.8.8.8@127.0.0.1",
        "8.8.8.8\\@127.0.0.1",
    ],
)
async def test_this_machine_is_not_reached_by_any_of_its_spellings(host: str) -> None:
    names = Names()
    async with Receiver() as receiver, local_sender(NOTHING_EXCEPTED, lookup=names) as sender:
        result = await sender.send(make_request(f"http://{host}:{receiver.port}/"))

        assert receiver.connections == 0
    assert names.asked == []
    assert isinstance(result, SendFailure)
    assert result.kind == "refused_url"


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param(["127.0.0.1"], id="loopback"),
        pytest.param(["::1"], id="loopback by IPv6"),
        pytest.param(["::ffff:127.0.0.1"], id="mapped loopback"),
        pytest.param(["10.0.0.1"], id="private"),
        pytest.param(["169.254.169.254"], id="metadata"),
        pytest.param(["192.0.2.1", "127.0.0.1"], id="documentation and loopback"),
        pytest.param(["8.8.8.8", "127.0.0.1"], id="public first, then loopback"),
        pytest.param(["127.0.0.1", "8.8.8.8"], id="loopback first, then public"),
        pytest.param(["8.8.8.8"] * 500 + ["127.0.0.1"], id="loopback behind many public ones"),
        pytest.param(["0x7f.1"], id="no address"),
    ],
)
async def test_a_name_that_answers_with_an_inner_address_is_not_dialled(answers: list[str]) -> None:
    names = Names()
    names.answer("rebind.example.com", answers)
    async with Receiver() as receiver, local_sender(NOTHING_EXCEPTED, lookup=names) as sender:
        result = await sender.send(make_request(f"http://rebind.example.com:{receiver.port}/"))

        assert receiver.connections == 0
    assert names.asked == ["rebind.example.com"]
    assert isinstance(result, SendFailure)
    assert result.kind == "refused_address"
    assert result.dialled_address is None


async def test_the_owner_is_not_told_what_was_found_and_the_operator_is() -> None:
    names = Names()
    names.answer("rebind.example.com", ["10.1.2.3"])
    async with local_sender(NOTHING_EXCEPTED, lookup=names) as sender:
        result = await sender.send(make_request("http://rebind.example.com/"))

    assert isinstance(result, SendFailure)
    assert result.message == "The host may not be reached."
    assert "rebind.example.com -> 10.1.2.3: private" in result.detail


async def test_an_answer_that_changes_is_judged_again_at_the_next_dial() -> None:
    names = Names()
    names.answer("rebind.example.com", ["127.0.0.1"], ["10.0.0.1"])
    limits = SenderLimits(dns_ttl_s=0, connection_age_s=0.0)
    async with Receiver() as receiver, local_sender(limits=limits, lookup=names) as sender:
        url = f"http://rebind.example.com:{receiver.port}/"
        first, second = [await sender.send(make_request(url)) for _ in range(2)]

        assert receiver.connections == 1
    assert isinstance(first, Reply)
    assert isinstance(second, SendFailure)
    assert second.kind == "refused_address"


async def test_answers_are_reused_for_a_while_and_then_asked_for_again() -> None:
    names = Names()
    names.answer("hooks.example.com", ["127.0.0.1"])
    async with Receiver() as receiver:
        url = f"http://hooks.example.com:{receiver.port}/"
        async with local_sender(limits=SenderLimits(connection_age_s=0.0), lookup=names) as sender:
            results = [await sender.send(make_request(url)) for _ in range(3)]
        asked_with_reuse = len(names.asked)
        limits = SenderLimits(connection_age_s=0.0, dns_ttl_s=0)
        async with local_sender(limits=limits, lookup=names) as sender:
            results += [await sender.send(make_request(url)) for _ in range(3)]

    assert {type(result) for result in results} == {Reply}
    assert asked_with_reuse == 1
    assert len(names.asked) == 4


async def test_a_literal_is_judged_where_its_socket_is_made() -> None:
    # Behind the check of the URL, and with no name to resolve: the last line of defence alone.
    refusing = AddressPolicy(
        allowed_networks=(ip_network("127.0.0.1/32"),), refused_networks=(ip_network("127.0.0.2/32"),)
    )
    make_socket = GuardedSocketFactory(refusing)

    with pytest.raises(AddressRefusedError):
        make_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.2", 443)))
    with pytest.raises(AddressRefusedError):
        make_socket((socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::ffff:127.0.0.2", 443, 0, 0)))
    with pytest.raises(AddressRefusedError):
        make_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 22)))
    make_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 22))).close()


class CarelessResolver(AbstractResolver):
    """What a resolver must not be: every name is this machine."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = ResolveResult(
            hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=6, flags=0
        )
        return [found]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("host", ["example.com", "127.0.0.1", "[::ffff:127.0.0.1]"])
async def test_aiohttp_makes_every_socket_through_the_guard_whatever_the_resolver_said(host: str) -> None:
    connector = aiohttp.TCPConnector(
        resolver=CarelessResolver(), socket_factory=GuardedSocketFactory(NOTHING_EXCEPTED)
    )
    async with Receiver() as receiver, aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(aiohttp.ClientConnectorError) as caught:
            await session.post(f"http://{host}:{receiver.port}/")

        assert receiver.connections == 0
    assert isinstance(caught.value.__cause__, AddressRefusedError)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "receiver", "hooks.example.com"])
async def test_exceptions_open_this_machine_for_development(host: str) -> None:
    names = Names()
    names.answer("receiver", ["127.0.0.1"])
    names.answer("hooks.example.com", ["127.0.0.1"])
    async with Receiver() as receiver, local_sender(THIS_MACHINE, lookup=names) as sender:
        result = await sender.send(make_request(f"http://{host}:{receiver.port}/"))

    assert isinstance(result, Reply)


async def test_the_system_knows_this_machine_by_its_name() -> None:
    async with Receiver() as receiver, Sender(THIS_MACHINE, allow_http=True) as sender:
        result = await sender.send(make_request(f"http://localhost:{receiver.port}/"))

    assert isinstance(result, Reply)


async def test_the_first_of_several_addresses_that_answers_is_used() -> None:
    names = Names()
    names.answer("hooks.example.com", ["127.0.0.9", "127.0.0.1"])
    async with Receiver(host="127.0.0.1") as receiver, local_sender(lookup=names) as sender:
        result = await sender.send(make_request(f"http://hooks.example.com:{receiver.port}/"))

    assert isinstance(result, Reply)
    assert result.dialled_address == "127.0.0.1"


async def test_plain_http_is_refused_unless_configured() -> None:
    async with Receiver() as receiver, Sender(THIS_MACHINE, lookup=Names()) as sender:
        result = await sender.send(make_request(receiver.url))

        assert receiver.connections == 0
    assert isinstance(result, SendFailure)
    assert result.kind == "refused_url"


async def test_a_name_without_an_address_is_a_dns_failure() -> None:
    names = Names()
    names.answer("empty.example.com", [])
    async with local_sender(lookup=names) as sender:
        results = [
            await sender.send(make_request(f"http://{name}.example.com/")) for name in ("missing", "empty")
        ]

    assert [one.kind for one in results if isinstance(one, SendFailure)] == ["dns", "dns"]


async def test_a_name_server_that_never_answers_costs_its_own_time_and_nobody_elses() -> None:
    names = Names()

    async def lookup(host: str) -> tuple[str, ...]:
        if host == "silent.example.com":
            await asyncio.Event().wait()
        return await names(host)

    names.answer("good.example.com", ["127.0.0.1"])
    limits = SenderLimits(dns_s=0.3)
    async with Receiver() as receiver, local_sender(limits=limits, lookup=lookup) as sender:
        silent = [
            asyncio.create_task(sender.send(make_request("http://silent.example.com/"))) for _ in range(50)
        ]
        good = await sender.send(make_request(f"http://good.example.com:{receiver.port}/"))
        still_waiting = not any(one.done() for one in silent)
        results = await asyncio.gather(*silent)

    assert isinstance(good, Reply)
    assert still_waiting
    assert {one.kind for one in results if isinstance(one, SendFailure)} == {"dns"}
    assert all(0.25 < one.duration_s < 2 for one in results)
