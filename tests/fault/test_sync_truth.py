"""Users write through two replicas that are killed at random moments; in the end every device has the truth.

The seed decides who does what and when a replica dies; it is in the test's name. `CHATSDK_TEST_SEEDS=1,2,3` runs chosen
ones, `make campaign` many longer ones, of which `CHATSDK_TEST_CAMPAIGN` says how many.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.fault.sync_devices import Follower, Phone
from tests.fault.sync_judge import all_numbered, differences, effects_differ, truth_for
from tests.fault.sync_world import Person, Room, World
from tests.fixtures.services import NewStack, Stack
from tests.waiting import wait_for

NAMES = ("ann", "bob", "cid", "dee")
ROOMS = 2
# A channel is loaded in one page: no story may send more to it than that has.
DEEDS = 120
KILLS = 2
AT_ONCE = 8
SETTLES_WITHIN_S = 20
# A few users do what many do elsewhere.
SETTINGS = {"CHAT_HEARTBEAT_INTERVAL_S": "1", "CHAT_RATE_LIMIT_FACTOR": "0"}

SHORT_SEEDS = [int(seed) for seed in os.environ.get("CHATSDK_TEST_SEEDS", "1").split(",")]
# Stories that found a fault once.
KEPT_SEEDS = (4, 6, 15, 16)
CAMPAIGN_SEEDS = range(100, 100 + int(os.environ.get("CHATSDK_TEST_CAMPAIGN", "25")))

# How often what is done, out of the sum of all.
WEIGHTS = {
    "send": 24,
    "reply": 12,
    "edit": 10,
    "delete": 6,
    "purge": 3,
    "react": 10,
    "pin": 4,
    "mark": 8,
    "come": 6,
    "go": 5,
    "promote": 3,
    "rename": 3,
    "truncate": 1,
    "push": 10,
    "page": 24,
}


@pytest.fixture(scope="module")
async def stack(new_stack: NewStack) -> AsyncIterator[Stack]:
    """Chat alone, twice; whoever dies comes back."""
    stack = new_stack(chat=SETTINGS)
    stack.replicas = [stack.chat]
    async with stack as running:
        await running.add_replica("chat")
        running.supervise()
        yield running


@dataclass
class Story:
    """One seed: the world, its devices, and the chance that decides."""

    world: World
    chance: random.Random
    phones: list[Phone] = field(default_factory=list)
    followers: list[Follower] = field(default_factory=list)
    turns: dict[int, asyncio.Lock] = field(default_factory=dict)
    running: set[asyncio.Task[None]] = field(default_factory=set)
    dying: asyncio.Task[None] | None = None

    @property
    def devices(self) -> list[Phone]:
        return [*self.phones, *self.followers]

    async def begin(self) -> None:
        """Two devices that ask and one that follows for each user."""
        for number, person in enumerate(self.world.people):
            self.phones += [
                Phone(person, f"{person.id}-{kind}", world=self.world) for kind in ("phone", "tablet")
            ]
            chance = random.Random(f"{self.world.seed}/{number}")
            self.followers.append(Follower(person, f"{person.id}-desk", world=self.world, chance=chance))
        for phone in self.phones:
            self.turns[id(phone)] = asyncio.Lock()
            await phone.page()
        for follower in self.followers:
            follower.start()
        for follower in self.followers:
            await wait_for(lambda follower=follower: follower.cursor, 10, repr(follower))  # type: ignore[misc]  # bound now

    async def go_on(self, deeds: int, kills: int) -> None:
        """So many deeds, a few at a time, and kills between them."""
        deaths = set(self.chance.sample(range(deeds // 8, deeds), kills))
        for number in range(deeds):
            if number in deaths:
                await self._one_dies(self.chance.randrange(2))
            self.running.add(asyncio.create_task(self._deed()))
            if len(self.running) >= AT_ONCE:
                done, self.running = await asyncio.wait(self.running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            self._raise_faults()
        await asyncio.gather(*self.running, *([self.dying] if self.dying else []))

    async def settle(self, database: str) -> None:
        """Everybody catches up, and has the truth."""
        await wait_for(lambda: all_numbered(database), SETTLES_WITHIN_S, "everything is numbered")
        for phone in self.phones:
            await phone.catch_up(self.chance.choice([3, 20, 200]))
        truths = {person.id: await truth_for(Phone(person, world=self.world)) for person in self.world.people}
        found = [one for phone in self.phones for one in differences(phone, truths[phone.user.id])]
        assert not found, "\n".join(found)
        last: list[str] = []

        def have_it() -> bool:
            self._raise_faults()
            last[:] = [one for each in self.followers for one in differences(each, truths[each.user.id])]
            return not last

        await wait_for(have_it, SETTLES_WITHIN_S, lambda: "\n".join(last))
        assert await effects_differ(database, self.world) == []

    async def end(self) -> None:
        """Stop what still goes on, and close what is open."""
        for task in self.running:
            task.cancel()
        still = [*self.running, *([self.dying] if self.dying else [])]
        await asyncio.gather(*still, *(one.stop() for one in self.followers), return_exceptions=True)

    def _raise_faults(self) -> None:
        for follower in self.followers:
            follower.check_up()

    async def _one_dies(self, number: int) -> None:
        """Kill a replica; it comes back by itself. The other one is there: never are both away."""
        if self.dying is not None:
            await self.dying
        replica = self.world.replicas[number]
        await replica.kill()
        self.dying = asyncio.create_task(replica.wait_ready())

    def _deed(self) -> Coroutine[Any, Any, None]:
        """The next deed: all chance is taken here, before anything is waited for."""
        world, chance = self.world, self.chance
        kind = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        who, room = chance.choice(world.people), chance.choice(world.rooms)
        if kind == "page":
            return self._page(chance.choice(self.phones), chance.choice([1, 2, 5, 50]))
        if kind in {"come", "go", "promote", "rename", "push"}:
            return self._deed_of_room(kind, who, room)
        known = [one for one in world.sent if one.room == room.id and one.seq]
        if kind == "send" or not known:
            quoted = chance.choice(known) if known and chance.random() < 0.2 else None
            return world.send(who, room, quoted=quoted)
        return self._deed_of_message(kind, who, room)

    def _deed_of_room(self, kind: str, who: Person, room: Room) -> Coroutine[Any, Any, None]:
        world, chance, owner = self.world, self.chance, self.world.people[0]
        by = chance.choice([None, owner])
        if kind == "push":
            plan = chance.choices(["send", "edit", "delete"], [5, 3, 1], k=chance.randint(1, 5))
            return world.push(
                who, room, plan, lose_after_s=chance.choice([0.004, 0.02, 1.0]), again=chance.random() < 0.4
            )
        if kind == "rename" or (who is owner and kind != "promote"):
            return world.rename(owner, room)
        if who is owner:
            who = world.people[1]
        if kind == "promote":
            return world.promote(who, room, owner, chance.choice(["member", "moderator"]))
        return world.come(who, room, by) if kind == "come" else world.go(who, room, by)

    def _deed_of_message(self, kind: str, who: Person, room: Room) -> Coroutine[Any, Any, None]:
        world, chance = self.world, self.chance
        here = [one for one in world.sent if one.room == room.id]
        sent = chance.choice(here[-20:])
        top = chance.choice([one for one in here if one.seq])
        if kind == "reply":
            return world.send(who, room, parent=top)
        if kind == "edit":
            return world.edit(sent.author, sent)
        if kind == "delete":
            return world.delete(chance.choice([sent.author, world.people[0]]), sent)
        if kind == "purge":
            return world.delete(world.people[0], sent, purge=True)
        if kind == "react":
            return world.react(who, sent, chance.choice("👍🎉"), on=chance.random() < 0.7)
        if kind == "pin":
            return world.pin(world.people[0], sent, on=chance.random() < 0.6)
        assert top.seq is not None
        if kind == "mark":
            return world.mark(who, room, top.seq, chance.choice(["read", "read", "unread", "star"]))
        low = min(top.seq, room.truncating + 12)
        return world.truncate(world.people[0], room, low, hard=chance.random() < 0.5)

    async def _page(self, phone: Phone, limit: int) -> None:
        async with self.turns[id(phone)]:
            await phone.page(limit)


async def tell(stack: Stack, seed: int, *, deeds: int, kills: int) -> None:
    """The whole of a seed."""
    app = await stack.new_app()
    world = World(app, stack.replicas, seed)
    await world.populate(NAMES, ROOMS, stack.caller)
    story = Story(world, random.Random(seed))
    try:
        await story.begin()
        await story.go_on(deeds, kills)
        await story.settle(stack.databases["chat"])
    finally:
        await story.end()


@pytest.mark.parametrize(
    "seed", [*SHORT_SEEDS, *(pytest.param(seed, marks=pytest.mark.campaign) for seed in KEPT_SEEDS)]
)
async def test_every_device_has_the_truth_in_the_end(stack: Stack, seed: int) -> None:
    await tell(stack, seed, deeds=DEEDS, kills=KILLS)


@pytest.mark.campaign
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", CAMPAIGN_SEEDS)
async def test_every_device_has_the_truth_after_longer_stories(stack: Stack, seed: int) -> None:
    await tell(stack, seed, deeds=4 * DEEDS, kills=3 * KILLS)
