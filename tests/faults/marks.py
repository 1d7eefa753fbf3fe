"""What makes every message of a fault run its own: a mark that any log can be searched for.

`ma12x34` is message 34 of conversation 12 at the bot of tenant a. A mark is a canary, too: it
must never turn up in another conversation.
"""

import re
from dataclasses import dataclass

END = "[end]"
"""The last word of every whole answer."""

SENTENCES = (
    "I could not reach the language model",
    "The language model's service would not",
    "I am not able to answer",
    "That took longer than I am allowed",
    "I tried several steps",
    "I have no answer to that",
    "I am sorry",
    "I have too much waiting here",
    "I was away when you wrote this",
    "(the answer was cut off here)",
    "(stopped)",
)
"""How the sentences begin that stand where an answer should be, alone or behind a part of it."""

_MARK = re.compile(r"\bm([a-z])(\d+)x(\d+)\b")


@dataclass(frozen=True, slots=True, order=True)
class Talk:
    """One conversation of a run: at which bot, and which one there."""

    tenant: str
    number: int

    def __str__(self) -> str:
        return f"{self.tenant}{self.number}"


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """One message of a run."""

    talk: Talk
    number: int

    def __str__(self) -> str:
        return f"m{self.talk}x{self.number}"


def is_outcome(text: str) -> bool:
    """Whether a text is more than an answer that still grows."""
    return END in text or any(sentence in text for sentence in SENTENCES)


def marks_in(text: str) -> tuple[Mark, ...]:
    """Every mark of a text once, in the order in which they stand there."""
    found = (Mark(Talk(t, int(talk)), int(number)) for t, talk, number in _MARK.findall(text))
    return tuple(dict.fromkeys(found))


def read_mark(text: str) -> Mark:
    """The one mark that this text is.

    Raises:
        ValueError: it is none.
    """
    (mark,) = marks_in(text)
    return mark
