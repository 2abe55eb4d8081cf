"""The limiter of one replica: counts every call, and asks the database about those few keys that are near a limit.

Calls far from every limit are judged here, without waiting. The loop asks for all near keys in one statement: when
a call finds nothing left (it then waits for the answer), when little is left (nobody waits), and every second, when
what was not used goes back. A database that does not answer in time makes the limits local: each replica then lets
its part through, and nobody is refused for our outage.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

import structlog

from chat_service.auth.principal import Principal
from chat_service.instruments import LimitInstruments
from chat_service.limits import store
from chat_service.limits.charge import Charge, Drawn
from chat_service.limits.rates import Action, Per, Rate, RateLimits, effective
from chat_service.limits.rules import SHARE_S, Meter, Wish
from chat_service.limits.store import Asked
from chatsdk_contracts.ids import AppId, ChannelId
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.postgres import DATABASE_AWAY, Pool, reading

log = structlog.get_logger()

_DEAD_AFTER_S: Final = 4.0
_CHOICE_FRESH_S: Final = 4.0
_FORGET_EVERY: Final = 60
_MOST_APPS: Final = 10_000

Key = tuple[AppId, Action, Per, str]


@dataclass(slots=True)
class _Limits:
    """What holds for an app, until when that is believed (monotonic seconds)."""

    rates: Mapping[tuple[Action, Per], Rate]
    fresh_until: float
    asked_for: bool = False


class Limiter:
    """Counts calls. Safe for concurrent use in one event loop; `run` has to run beside it."""

    def __init__(
        self,
        pool: Pool,
        instruments: LimitInstruments,
        *,
        factor: float = 1.0,
        most_keys: int = 50_000,
        answer_s: float = 0.25,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._instruments = instruments
        self._factor = factor
        self._most_keys = most_keys
        self._answer_s = answer_s
        self._clock = clock
        self._replica = uuid4()
        self._replicas = 1
        self._apps: OrderedDict[AppId, _Limits] = OrderedDict()
        self._buckets: OrderedDict[Key, Drawn] = OrderedDict()
        # Those with a share or with calls in this second, and those to be asked about now.
        self._active: dict[Key, Meter] = {}
        self._wanted: dict[Key, Meter] = {}
        self._wake = asyncio.Event()
        self._answered = asyncio.get_running_loop().create_future()
        self._alone_until = -1.0
        # Settings that were read before a change must not be remembered after it.
        self._forgotten = 0

    @property
    def replicas(self) -> int:
        """How many replicas there were when this was last asked."""
        return self._replicas

    async def charge(self, action: Action, caller: Principal, channel_id: ChannelId | None = None) -> Charge:
        """Count one call, or none of it if any of its buckets is empty."""
        if self._factor <= 0:
            return Charge.free(action, caller)
        rates = await self._rates_of(caller.app_id)
        now = self._clock()
        app_id, drawn = caller.app_id, []
        drawn.append(self._drawn((app_id, action, "app", ""), rates[action, "app"], now))
        if caller.user_id is not None:
            drawn.append(self._drawn((app_id, action, "user", caller.user_id), rates[action, "user"], now))
        if channel_id is not None:
            drawn.append(self._drawn((app_id, action, "channel", channel_id), rates[action, "channel"], now))
        short = [one for one in drawn if not one.meter.has(now)]
        if short and (asking := self._may_be_asked(short, now)):
            now = await self._until_answered(drawn, asking)
            short = [one for one in drawn if not one.meter.has(now)]
        if short:
            self._instruments.refused[action].inc()
            worst = max(short, key=lambda one: one.meter.wait_s(now))
            return Charge(action, caller, drawn, worst, now)
        for one in drawn:
            one.meter.take()
            if one.meter.should_ask(now):
                self._want(one)
        self._instruments.admitted[action].inc()
        return Charge(action, caller, drawn, None, now)

    async def require_look(self, charge: Charge) -> None:
        """A call over a limit may be a repeat, and is looked up before it is refused: that costs a read.

        Raises:
            RateLimited: the call is over a limit, and its caller reads too much as well.
        """
        if charge.refused_by is not None:
            looking = await self.charge("read", charge.caller)
            if looking.refused_by is not None:
                charge.require()

    def refund(self, charge: Charge) -> None:
        """The call was the repeat of one that was counted."""
        if charge.drawn and charge.refused_by is None:
            now = self._clock()
            for one in charge.drawn:
                one.meter.put_back(now)
            self._instruments.repeats[charge.action].inc()

    def forget(self, app_id: AppId | None = None) -> None:
        """The settings of an app have changed, or may have for all: read them again before the next call."""
        self._forgotten += 1
        if app_id is None:
            self._apps.clear()
        else:
            self._apps.pop(app_id, None)

    async def run(self, heartbeat: Heartbeat) -> None:
        """Ask the database, until cancelled. An outage does not end it: then limits are local."""
        seconds = 0
        next_turn_s = self._clock()
        while True:
            heartbeat.beat()
            if self._clock() >= next_turn_s:
                next_turn_s = self._clock() + SHARE_S
                self._turn()
                await self._look_around(forget=seconds % _FORGET_EVERY == 0)
                seconds += 1
            await self._ask()
            await self._sleep(next_turn_s - self._clock())

    async def _sleep(self, at_most_s: float) -> None:
        if self._wanted or at_most_s <= 0:
            return
        self._wake.clear()
        try:
            async with asyncio.timeout(at_most_s):
                await self._wake.wait()
        except TimeoutError:
            return

    def _turn(self) -> None:
        """A second is over: what is active is asked about anew, and what is not used any more goes back."""
        active, self._active = self._active, {}
        for key, meter in active.items():
            meter.turn()
            if meter.common is not None:
                self._wanted[key] = meter
            if meter.earlier or meter.share:
                self._active[key] = meter

    async def _ask(self) -> None:
        """One statement about all that is wanted, and an answer to all who wait."""
        wanted, self._wanted = self._wanted, {}
        answered, self._answered = self._answered, asyncio.get_running_loop().create_future()
        keys = list(wanted)
        wishes = [meter.wish() for meter in wanted.values()]
        try:
            if wanted:
                await self._ask_database(keys, list(wanted.values()), wishes)
        finally:
            if not answered.done():
                answered.set_result(None)

    async def _ask_database(
        self, keys: Sequence[Key], meters: Sequence[Meter], wishes: Sequence[Wish]
    ) -> None:
        asked = [
            Asked(key[0], _name(key), meter.per_second, meter.burst, wish.want, wish.give)
            for key, meter, wish in zip(keys, meters, wishes, strict=True)
        ]
        if self._clock() >= self._alone_until:
            try:
                async with asyncio.timeout(self._answer_s), reading(self._pool) as connection:
                    lent = await store.lease(connection, asked)
            except DATABASE_AWAY as outage:
                self._be_alone(outage)
            else:
                now = self._clock()
                for meter, wish, one in zip(meters, wishes, lent, strict=True):
                    meter.granted(wish, one.granted, one.level, now)
                return
        now = self._clock()
        for meter, wish in zip(meters, wishes, strict=True):
            meter.grant_alone(wish, self._replicas, now)

    async def _look_around(self, *, forget: bool) -> None:
        """How many share each limit, and what owners chose meanwhile. An outage leaves what was known last."""
        began, wanted = self._forgotten, [app_id for app_id, known in self._apps.items() if known.asked_for]
        try:
            async with asyncio.timeout(SHARE_S), reading(self._pool) as connection:
                count = await store.count_replicas(connection, self._replica, dead_after_s=_DEAD_AFTER_S)
                chosen = await store.fetch_chosen(connection, wanted) if wanted else {}
                if forget:
                    await store.forget_full(connection)
        except DATABASE_AWAY as outage:
            self._be_alone(outage)
            return
        self._replicas = count
        for app_id, limits in chosen.items():
            self._remember(app_id, effective(limits, self._factor), began)
        if self._clock() >= self._alone_until:
            self._instruments.alone.set(0)

    def _be_alone(self, outage: BaseException) -> None:
        if self._clock() >= self._alone_until + SHARE_S:
            log.warning("rate_limits_are_local", error=f"{type(outage).__name__}: {outage}")
        self._alone_until = self._clock() + SHARE_S
        self._instruments.alone.set(1)

    def _may_be_asked(self, short: Sequence[Drawn], now: float) -> Sequence[Drawn]:
        """What is empty, unless the database said a moment ago of any of it that there is nothing."""
        return short if all(one.meter.denied_until <= now for one in short) else ()

    async def _until_answered(self, drawn: Sequence[Drawn], asking: Sequence[Drawn]) -> float:
        """Have the database asked until nothing is empty, or it says no. Returns the time.

        Once is not always enough: of the tokens that were asked for, calls that came in the meantime may have taken
        what those who waited were counted for.
        """
        try:
            # Twice: what is asked now may be answered only after what is being asked already.
            async with asyncio.timeout(2 * self._answer_s):
                while asking:
                    for one in asking:
                        self._want(one)
                    await asyncio.shield(self._answered)
                    now = self._clock()
                    asking = self._may_be_asked([one for one in drawn if not one.meter.has(now)], now)
        except TimeoutError:
            now = self._clock()
            for one in asking:
                one.meter.grant_alone(one.meter.wish(), self._replicas, now)
        return self._clock()

    def _want(self, one: Drawn) -> None:
        self._wanted[one.key] = one.meter
        self._wake.set()

    def _drawn(self, key: Key, rate: Rate, now: float) -> Drawn:
        """The bucket of this key, with one more call that wants something of it."""
        one = self._buckets.get(key)
        if one is None:
            meter = Meter(rate.per_second, rate.burst, self._replicas, now)
            one = self._buckets[key] = Drawn(key, key[2], rate, self._replicas, meter)
            if len(self._buckets) > self._most_keys:
                # The one that was not used for longest; most likely it is full again.
                forgotten, _ = self._buckets.popitem(last=False)
                self._active.pop(forgotten, None)
        else:
            self._buckets.move_to_end(key)
            if one.rate is not rate or one.replicas != self._replicas:
                one.rate, one.replicas = rate, self._replicas
                one.meter.resize(rate.per_second, rate.burst, self._replicas, now)
        one.meter.demand += 1
        self._active[key] = one.meter
        return one

    async def _rates_of(self, app_id: AppId) -> Mapping[tuple[Action, Per], Rate]:
        """What holds for the app. Only the first call of an app waits; later the loop reads anew what gets old."""
        known = self._apps.get(app_id)
        if known is not None:
            known.asked_for = known.fresh_until <= self._clock()
            return known.rates
        began = self._forgotten
        try:
            async with asyncio.timeout(self._answer_s), reading(self._pool) as connection:
                chosen = (await store.fetch_chosen(connection, [app_id]))[app_id]
        except DATABASE_AWAY:
            chosen = RateLimits()
        rates = effective(chosen, self._factor)
        self._remember(app_id, rates, began)
        return rates

    def _remember(self, app_id: AppId, rates: Mapping[tuple[Action, Per], Rate], began: int) -> None:
        if began != self._forgotten:
            return
        self._apps[app_id] = _Limits(rates, self._clock() + _CHOICE_FRESH_S)
        self._apps.move_to_end(app_id)
        if len(self._apps) > _MOST_APPS:
            self._apps.popitem(last=False)


def _name(key: Key) -> str:
    """What a bucket is called in the database, beside its app."""
    _, action, per, subject = key
    return f"{action}.{per}.{subject}"
