"""What a poll is made of, who may do what with it, and what a vote counts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from chat_service.channels.rules import RANK, Actor, require_member
from chat_service.errors import ChannelFrozen, RoleTooLow
from chat_service.polls.errors import PollEnded, PollsOff
from chatsdk_contracts.channels import Channel
from chatsdk_contracts.ids import UserId
from chatsdk_contracts.polls import Poll, PollOption
from chatsdk_runtime.errors import FieldProblem, InvalidInput, invalid_field

_CLOSERS: Final = RANK["moderator"]
_FROZEN_EXEMPT: Final = RANK["admin"]


def options_of(given: Sequence[tuple[str | None, str]]) -> list[PollOption]:
    """The options from (id, text) in their order; who has no id gets the lowest number that is free.

    Raises:
        InvalidInput: an id is there twice.
    """
    ids = [option_id for option_id, _ in given if option_id is not None]
    twice = [
        FieldProblem(f"options[{index}].id", "duplicate", f"the id {option_id!r} is there already")
        for index, (option_id, _) in enumerate(given)
        if option_id is not None and option_id in [earlier for earlier, _ in given[:index]]
    ]
    if twice:
        raise InvalidInput(twice[0].message, details=twice)
    free = (str(number) for number in range(1, 2 * len(given) + 1) if str(number) not in ids)
    return [
        PollOption(id=next(free) if option_id is None else option_id, text=text) for option_id, text in given
    ]


def require_future(ends_at: datetime | None, now: datetime) -> None:
    """Raises InvalidInput for a poll that would be over before it begins."""
    if ends_at is not None and ends_at <= now:
        raise invalid_field("endsAt", "in_the_past", "must be later than now")


def require_polls(actor: Actor, channel: Channel, *, by_server: bool) -> None:
    """Who may make polls and vote here, if the channel has polls at all."""
    require_member(actor, channel)
    if not channel.config.polls:
        raise PollsOff
    if channel.frozen and not by_server and actor.rank < _FROZEN_EXEMPT:
        raise ChannelFrozen


def require_open(poll: Poll, now: datetime) -> None:
    """Raises PollEnded once the poll is closed or its time is over, whether or not that was told already."""
    if poll.closed_at is not None or (poll.ends_at is not None and poll.ends_at <= now):
        raise PollEnded


def require_choice(poll: Poll, option_ids: Sequence[str]) -> None:
    """Raises InvalidInput for options that the poll does not have, and for more than one where one is taken."""
    known = {option.id for option in poll.options}
    problems = [
        FieldProblem(f"optionIds[{index}]", "unknown_option", f"the poll has no option {option_id!r}")
        for index, option_id in enumerate(option_ids)
        if option_id not in known
    ]
    if problems:
        raise InvalidInput(problems[0].message, details=problems)
    if len(set(option_ids)) > 1 and not poll.is_multi_choice:
        raise invalid_field("optionIds", "single_choice", "this poll takes one option")


def require_closer(poll: Poll, actor: Actor) -> None:
    """Its author, a moderator or above, or the app's servers close a poll."""
    if actor.rank < _CLOSERS and poll.created_by != actor.user_id:
        raise RoleTooLow("Only its author or a moderator may close a poll.")


def known_option(poll: Poll, option_id: str) -> str:
    """The option, if the poll has it; InvalidInput else."""
    if option_id not in {option.id for option in poll.options}:
        raise invalid_field("optionId", "unknown_option", f"the poll has no option {option_id!r}")
    return option_id


def in_order(poll: Poll, option_ids: Sequence[str]) -> list[str]:
    """A choice in the order of the options, each once: two choices are the same when these are."""
    return [option.id for option in poll.options if option.id in set(option_ids)]


def counted(poll: Poll, before: Sequence[str], after: Sequence[str], now: datetime) -> Poll:
    """The poll after one voter's choice has changed; no choice is an empty one."""
    options = [
        option.model_copy(
            update={"vote_count": option.vote_count + (option.id in after) - (option.id in before)}
        )
        for option in poll.options
    ]
    total = poll.total_votes + bool(after) - bool(before)
    return poll.model_copy(update={"options": options, "total_votes": total, "updated_at": now})


def voter_shown(poll: Poll, user_id: UserId) -> UserId | None:
    """The voter's name for events; nobody's in an anonymous poll."""
    return None if poll.is_anonymous else user_id
