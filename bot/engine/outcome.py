"""What a turn came to."""

from dataclasses import dataclass, field

from bot.domain.conversation import TurnState, Usage
from bot.domain.message import Choice, Message
from bot.domain.records import Approval, Spent, Unsure


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is said, what the transcript keeps, what it used.

    `loose` are the texts of replies that only the closing message holds: their calls are not kept.
    """

    state: TurnState
    text: str
    messages: tuple[Message, ...] = ()
    usage: Usage = field(default=Usage())
    spent: tuple[Spent, ...] = ()
    approval: Approval | None = None
    choices: tuple[Choice, ...] = ()
    unsure: tuple[Unsure, ...] = ()
    loose: tuple[str, ...] = ()
