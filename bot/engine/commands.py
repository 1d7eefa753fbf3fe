"""What a person may ask of Parley itself: /new /stop /help /usage /forget, and approval's yes."""

from enum import StrEnum

from bot.domain.message import Inbound, Kind


class Command(StrEnum):
    NEW = "new"
    STOP = "stop"
    HELP = "help"
    USAGE = "usage"
    FORGET = "forget"
    START = "start"


_WORDS = {
    "/new": Command.NEW,
    "新对话": Command.NEW,
    "/stop": Command.STOP,
    "停止": Command.STOP,
    "/help": Command.HELP,
    "帮助": Command.HELP,
    "/usage": Command.USAGE,
    "用量": Command.USAGE,
    "/forget": Command.FORGET,
    "忘记我": Command.FORGET,
    # what Telegram sends when a person opens a chat with a bot for the first time
    "/start": Command.START,
}

_SPOKEN = frozenset({Kind.MESSAGE, Kind.COMMAND, Kind.BUTTON})

# The only words that let a call go ahead (design section 6, Tools).
_YES = frozenset({"yes", "yes.", "yes!", "ok", "是", "好", "确认", "同意"})


def command_of(inbound: Inbound) -> Command | None:
    """The command that a message is, whole and alone, or begins with when it starts with "/".

    A word such as "停止" counts only when it is all that was said.
    """
    if inbound.kind not in _SPOKEN:
        return None  # an edit to "/stop" is an edit
    text = inbound.text.strip()
    if text.startswith("/"):
        return _WORDS.get(text.split(maxsplit=1)[0].lower())
    return None if inbound.kind is Kind.BUTTON else _WORDS.get(text)


def is_yes(inbound: Inbound) -> bool:
    """Whether it allows a call: one of a few words, and nothing else."""
    return inbound.text.strip().lower() in _YES
