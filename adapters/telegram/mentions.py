"""Whether a message speaks to us, and what it says beside our name. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from adapters.telegram.marks import units_between
from adapters.telegram.updates import Entity, Message

_COMMAND = re.compile(r"/(?P<name>[A-Za-z0-9_]{1,32})(?:@(?P<bot>\w+))?(?=\s|$)")
_AFTER_NAME = " \t\n,:;，：、"


@dataclass(frozen=True, slots=True)
class Me:
    """Our own identity: the id from the token, the user name once it is known."""

    id: int
    username: str | None = None

    @property
    def account(self) -> str:
        return str(self.id)

    def is_named(self, name: str) -> bool:
        return self.username is not None and name.lower() == self.username.lower()


@dataclass(frozen=True, slots=True)
class Command:
    """`/new`, `/new@name` or `/start payload` at the beginning of a text."""

    text: str
    bot: str | None


@dataclass(frozen=True, slots=True)
class Heard:
    """What a message says, and whether it says it to us; `why` names the reason if not.

    Whether a command without a name is ours, its word must tell.
    """

    words: str
    addressed: bool
    is_command: bool = False
    undecided: bool = False
    why: str = "unaddressed"


def hear(message: Message, me: Me) -> Heard:
    """Read the text or caption as somebody who listens for their own name."""
    text = message.caption if message.text is None else message.text
    entities = message.caption_entities if message.text is None else message.entities
    if message.is_forwarded:
        # Whoever passes on a command, a yes or our name has not said it.
        return Heard(_quoted(text), message.chat.type == "private" or _replies_to(message, me))
    named = _mentions(text, entities, me)
    words = _without(text, named) if named else text
    command = None if message.text is None else command_in(words)
    if command is not None and command.bot is not None and not me.is_named(command.bot):
        # Which bot is meant cannot be said before our own name is known.
        return Heard(words, addressed=False, undecided=me.username is None, why="other bot")
    addressed = (
        message.chat.type == "private"
        or bool(named)
        or (command is not None and command.bot is not None)
        or _replies_to(message, me)
    )
    a_name = me.username is None and any(entity.type == "mention" for entity in entities)
    undecided = a_name and not addressed
    if command is not None:
        return Heard(command.text, addressed, is_command=True, undecided=undecided)
    return Heard(words, addressed, undecided=undecided)


def command_in(text: str) -> Command | None:
    """The command without the bot's name, its own name in lower case."""
    match = _COMMAND.match(text)
    if match is None:
        return None
    return Command(f"/{match['name'].lower()}{text[match.end() :].rstrip()}", match["bot"])


def _quoted(words: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in words.splitlines())


def _mentions(text: str, entities: Sequence[Entity], me: Me) -> list[Entity]:
    return [
        entity
        for entity in entities
        if (entity.type == "mention" and me.is_named(_named(text, entity)))
        or (entity.type == "text_mention" and entity.user is not None and entity.user.id == me.id)
    ]


def _without(text: str, named: Sequence[Entity]) -> str:
    """The text without our user name; a name by id in mid-sentence is part of what is said.

    A message that is nothing but our name stays as it is.
    """
    data = text.encode("utf-16-le")
    for entity in sorted(named, key=lambda entity: entity.offset, reverse=True):
        start, end = 2 * entity.offset, 2 * (entity.offset + entity.length)
        before, after = data[:start], data[end:]
        leads = not before.decode("utf-16-le", "ignore").strip()
        if leads:
            after = after.decode("utf-16-le", "ignore").lstrip(_AFTER_NAME).encode("utf-16-le")
        elif entity.type == "mention":
            # One of the two spaces around the name goes with it.
            after = after.removeprefix(" ".encode("utf-16-le"))
        else:
            continue
        data = before + after
    return data.decode("utf-16-le", "ignore").strip() or text.strip()


def _replies_to(message: Message, me: Me) -> bool:
    """A reply to one of ours; a topic's first message is no message of anybody's."""
    answered = message.reply_to_message
    return (
        answered is not None
        and answered.from_ is not None
        and answered.from_.id == me.id
        and answered.forum_topic_created is None
    )


def _named(text: str, entity: Entity) -> str:
    name = units_between(text, entity.offset, entity.offset + entity.length)
    return name.removeprefix("@")
