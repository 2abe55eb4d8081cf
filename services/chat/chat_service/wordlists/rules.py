"""What a word list may hold. Pure; every problem names its path and the fix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from chat_service.wordlists.matching import Action, Match, Matcher, Phrase, folded
from chatsdk_contracts.channels import ChannelType
from chatsdk_runtime.errors import FieldProblem, InvalidInput

MOST_ENTRIES: Final = 1_000
LONGEST_PHRASE: Final = 100


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry that is asked for, with the phrase as it is compared."""

    phrase: str
    match: Match
    action: Action
    channel_type: ChannelType | None
    folded: str


@dataclass(frozen=True, slots=True)
class StoredPhrase:
    """A phrase of a list with the type of channels that it is for; None: every one."""

    phrase: Phrase
    channel_type: str | None


def require_visible(path: str, phrase: str) -> str:
    """The phrase as it is compared.

    Raises:
        InvalidInput: nothing of it can be seen, so it would be found everywhere or nowhere.
    """
    key = folded(phrase)
    if not key:
        problem = FieldProblem(path, "nothing_visible", "has no visible character; write what is to be found")
        raise InvalidInput(f"{problem.path}: {problem.message}", details=[problem])
    return key


def require_different(entries: Sequence[NewEntry]) -> None:
    """Raises InvalidInput naming each entry that says what an earlier one says."""
    seen: dict[tuple[str, Match, ChannelType | None], int] = {}
    problems = []
    for index, entry in enumerate(entries):
        first = seen.setdefault((entry.folded, entry.match, entry.channel_type), index)
        if first != index:
            message = f"is the phrase of entries[{first}] again (case and form make no difference)"
            problems.append(FieldProblem(f"entries[{index}].phrase", "repeated", message))
    if problems:
        raise InvalidInput(
            "; ".join(f"{problem.path}: {problem.message}" for problem in problems[:3]),
            hint="Leave the repeats out.",
            details=problems,
        )


def matchers(phrases: Iterable[StoredPhrase]) -> dict[str | None, Matcher]:
    """A list made ready: one matcher for each type that has phrases of its own, and one (None) for the others."""
    given = list(phrases)
    types = {None, *(one.channel_type for one in given)}
    return {
        channel_type: Matcher(one.phrase for one in given if one.channel_type in {None, channel_type})
        for channel_type in types
    }
