"""Use case of an edit: screened before its transaction, and written in one, under the channel's lock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chat_service.collab.errors import WrittenTogether
from chat_service.events.log import append, channel_event
from chat_service.mentions import noting
from chat_service.mentions.noting import Asking, Said
from chat_service.mentions.rules import Mentioned, asked_by_edit, decide
from chat_service.messages import detail_store, rights, rules, shadows, store
from chat_service.messages.actions import (
    Change,
    check_base,
    lock_message,
    plain,
    require_message,
    require_writing,
)
from chat_service.messages.rules import ScreenedText
from chat_service.previews import store as previews
from chat_service.previews.rules import wanted_previews
from chat_service.resources import Resources
from chatsdk_contracts.ids import UserId
from chatsdk_contracts.messages import ChangedMessage, MentionGroup, Message, MessageUpdated
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.errors import Conflict, Forbidden, ServiceError
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Connection, Transaction


@dataclass(frozen=True, slots=True)
class Edit:
    """A new text. `hlc`: when the client wrote it, by its own clock; mentions beside the text: None keeps what is."""

    text: str
    hlc: str | None = None
    named: Sequence[UserId] | None = None
    named_groups: Sequence[MentionGroup] | None = None

    @property
    def keeps_mentions(self) -> bool:
        """Whether nothing is said of mentions."""
        return self.named is None and self.named_groups is None


@dataclass(frozen=True, slots=True)
class ScreenedEdit(Edit):
    """An edit whose text passed the gate."""

    text: ScreenedText


async def screen_edit(resources: Resources, change: Change, wanted: Edit) -> ScreenedEdit | ServiceError:
    """The edit as it may be written, or why it may not; before its transaction, as a hook takes its time.

    The refusal is a value, because the repeat of a call is answered before anything is refused.
    """

    async def look(connection: Connection) -> Message:
        message, standing = await require_message(
            connection, change.caller, change.channel_id, change.message_id
        )
        await _require_editable(connection, message, standing, change, wanted.text)
        return message

    try:
        text = await resources.screening.screen_edit(
            change.caller.app_id, change.channel_id, wanted.text, look
        )
    except ServiceError as refusal:
        return refusal
    return ScreenedEdit(text, wanted.hlc, wanted.named, wanted.named_groups)


async def edit(tx: Transaction, change: Change, wanted: ScreenedEdit) -> Answer:
    """Write a new text and whom it mentions; the same again changes nothing. Only who is new there hears of it."""
    message, standing = await lock_message(tx, change)
    await _require_editable(tx, message, standing, change, wanted.text)
    asked = asked_by_edit(message, wanted.named, wanted.named_groups, wanted.text)
    (there,) = await noting.present(tx, [Asking(message.channel_id, message.user_id, asked)])
    may_call_all = rules.may_call_all(standing.role, by_server=change.caller.user_id is None)
    mentioned = decide(asked, there, standing.config, may_call_all=may_call_all)
    if isinstance(mentioned, ServiceError):
        raise mentioned
    if wanted.text == message.text and (wanted.keeps_mentions or mentioned.are_of(message)):
        return Answer(data_json(message))
    only_for = shadows.only_reader(message)
    edited = _edited(message, wanted, mentioned, standing.cv + 1, change.cause.now)
    await detail_store.add_history(tx, message, edited_at=change.cause.now, edited_by=change.caller.user_id)
    data = ChangedMessage(**edited.model_dump(), changed=_changed_by_edit(message, edited))
    event = channel_event(MessageUpdated, change.cause, change.channel_id, edited.cv, data, only_for=only_for)
    noted = noting.Noted()
    if only_for is None:
        noted = await noting.note_edit(tx, Said(edited, change.cause, there.deaf))
    await store.update_text(tx, edited, event.id)
    await store.next_cv(tx, change.channel_id)
    await append(tx, [event, *noted.events])
    await noting.write(tx, noted)
    if edited.text != message.text and (jobs := wanted_previews([(edited, standing.config)])):
        await previews.enqueue(tx, jobs, change.cause.now)
    return Answer(data_json(edited))


async def _require_editable(
    connection: Connection, message: Message, standing: store.Standing, change: Change, text: str
) -> None:
    """Raises what stands in the way of this text in the place of the present one."""
    if not rights.may_edit(message, change.caller.user_id):
        raise Forbidden("Only its author may edit a message.")
    await require_writing(connection, change, message)
    if message.deleted_at is not None:
        raise Conflict("The message is deleted.", extra={"current": plain(message)})
    if message.text_mode is not None:
        raise WrittenTogether
    check_base(message, change.base_version)
    if text == message.text:
        return
    if (refusal := rules.too_long(text, standing.config)) is not None:
        raise refusal
    if not text and not message.attachments:
        raise Forbidden("A message without attachments needs a text.", hint="Delete the message instead.")


def _edited(message: Message, wanted: Edit, mentioned: Mentioned, cv: int, now: datetime) -> Message:
    return message.model_copy(
        update={
            "text": wanted.text,
            # Those that are there are of what it said before.
            "link_previews": message.link_previews if wanted.text == message.text else [],
            "mentions": mentioned.users,
            "mention_groups": mentioned.groups,
            "version": message.version + 1,
            "cv": cv,
            "updated_at": now,
            "edited_at": now,
            "hlc": wanted.hlc,
        }
    )


def _changed_by_edit(before: Message, after: Message) -> list[str]:
    """The names of the fields of an edited message that differ, as the event has them."""
    changes = {
        "text": before.text != after.text,
        "mentions": before.mentions != after.mentions,
        "mentionGroups": before.mention_groups != after.mention_groups,
        "linkPreviews": before.link_previews != after.link_previews,
    }
    return [name for name, is_changed in changes.items() if is_changed]
