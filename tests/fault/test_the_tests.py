"""The fault tests can fail: a consumer that acknowledges before its commit is found out."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fault import ack_first
from tests.fault.loads import Load, prepared_load
from tests.fixtures.rabbitmq import RabbitServer
from tests.fixtures.services import NewStack, Stack
from tests.waiting import wait_for

# Comparing with chat's log would heal the loss; that is shown afterwards.
WITHOUT_RECONCILIATION = {"METRICS_RECONCILE_INTERVAL_S": "3600", "METRICS_RECONCILE_GRACE_S": "3600"}


@pytest.fixture
async def careless(new_stack: NewStack) -> AsyncIterator[Stack]:
    """A stack that does not look for what the broker lost."""
    async with new_stack(metrics=WITHOUT_RECONCILIATION) as running:
        yield running


async def test_an_acknowledgement_before_the_commit_is_found_out(
    careless: Stack, rabbit_server: RabbitServer, tmp_path: Path
) -> None:
    metrics = careless.metrics
    regular, reconciling = metrics.module, dict(metrics.environment)
    for name in WITHOUT_RECONCILIATION:
        reconciling[name] = "0.5"
    await metrics.stop()
    metrics.module = ack_first.__name__
    await metrics.start()

    async with prepared_load(careless, rabbit_server, tmp_path) as load:
        await load.start(seconds=3)
        await wait_for(lambda: ack_first.BETWEEN in metrics.log_path.read_text("utf-8"), 20)
        await metrics.kill()
        metrics.module = regular
        await metrics.start()
        await load.finish()
        sent = len(load.truth.acknowledged())

        await wait_for(lambda: _all_consumed(careless, rabbit_server), 20)
        await wait_for(lambda: _differs_only_in_the_count(load), 20)
        (loss,) = await load.truth.metrics_differences(sent)
        assert loss.startswith("counted "), loss
        assert await careless.messages_counted(load.truth.app_id) < sent

        # The same service with its comparison on finds in chat's log what the queue no longer has.
        await metrics.stop()
        metrics.environment = reconciling
        await metrics.start()
        await load.settle()


def _all_consumed(stack: Stack, rabbit: RabbitServer) -> bool:
    """Nothing waits in the broker, and nothing is on its way to a consumer."""
    waiting = rabbit.evaluate(
        'lists:sum([N || Q <- rabbit_amqqueue:list(<<"' + stack.vhost + '">>), '
        "{messages, N} <- rabbit_amqqueue:info(Q, [messages])])"
    )
    return waiting.strip() == "0"


async def _differs_only_in_the_count(load: Load) -> bool:
    found = await load.truth.differences()
    return len(found) == 1 and found[0].startswith("counted ")
