"""What a running chat service holds; made once by `app`, handed to every door as `app.state.resources`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chat_service.settings import ChatSettings
from chatsdk_runtime.encryption import Keyring
from chatsdk_runtime.postgres import Pool

if TYPE_CHECKING:
    from chat_service.auth.verifier import TokenVerifier
    from chat_service.events.control import ControlChannel
    from chat_service.limits.limiter import Limiter
    from chat_service.messages.writer import MessageWriter
    from chat_service.presence.telling import PresenceTeller
    from chat_service.screening.gate import Gate
    from chat_service.typists.ledger import Typists
    from chat_service.uploads.depot import Depot


@dataclass(frozen=True, slots=True)
class Resources:
    """Shared by all requests. `epoch` is this database's; `wake_relay` is called after a commit with events."""

    settings: ChatSettings
    pool: Pool
    keyring: Keyring
    epoch: int
    tokens: TokenVerifier
    control: ControlChannel
    wake_relay: Callable[[], None]
    writer: MessageWriter
    depot: Depot
    typists: Typists
    presence: PresenceTeller
    limiter: Limiter
    screening: Gate
