"""What makes every message of a fault run its own: a mark that any log can be searched for.

`ma12x34` is message 34 of conversation 12 at the bot of tenant a. A mark is a canary, too: it
must never turn up in another conversation.
"""

import re
from dataclasses import dataclass

END = "[end]"
"""The last word of every whole answer."""
WORDS = tuple("one two three four five six seven eight nine ten".split())
"""What every answer says between its marks and its end, over and over."""
REPEATED = ("(sent again)", "（重发）")
"""How an answer begins that is sent once more because nobody knows whether it arrived."""

PROMISED = "I am still working on this."
"""How the words begin that WeChat's last call brings where the answer is not there yet."""
SENTENCES = (
    "I could not reach the language model",
    "The language model's service would not",
    "I am not able to answer",
    "That took longer than I am allowed",
    "I was interrupted while I answered this",
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
_NUMBER = re.compile(r"\d+$")


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


INTERRUPTED = "I had begun “"
UNKNOWN = re.compile(
    r"I had begun “(\w+)” (?:when I was interrupted )?and cannot tell whether it was done\."
    r"[^\n]*\n\n"
)
"""What an answer begins with where a tool that may run once was interrupted.

Nodes of the last schema, which an upgrade replaces, said so in other words.
"""


def is_outcome(text: str) -> bool:
    """Whether a text is more than an answer that still grows."""
    return END in text or any(sentence in text for sentence in SENTENCES)


def is_exact(text: str) -> bool:
    """Whether an answer is the model's word for word: whole, or up to where it says it is cut."""
    for repeated in REPEATED:
        text = text.removeprefix(repeated).lstrip()
    text = UNKNOWN.sub("", text)
    head, _, rest = text.partition(": ")
    if not head.startswith("On ") or " ".join(map(str, marks_in(head))) != head[3:]:
        return False
    said, whole, tail = rest.partition(END)
    if not whole:
        ends = [said.find(sentence) for sentence in SENTENCES if sentence in said]
        said, tail = said[: min(ends)], ""
    words = said.split()
    right = [WORDS[number % len(WORDS)] for number in range(len(words))]
    if not whole and words:  # the last one may be cut, too
        right[-1] = right[-1][: len(words[-1])]
    complete = not whole or (bool(words) and not len(words) % len(WORDS))
    return words == right and complete and END not in tail and not marks_in(tail)


def pieces_of(text: str) -> list[str]:
    """The outcomes that stand in one message, as WeChat's calls bring them: with a line between."""
    pieces: list[str] = []
    begun: list[str] = []
    for part in text.split("\n\n"):
        if is_outcome(part):
            pieces.append("\n\n".join((*begun, part)))
            begun = []
        elif begun or not pieces or _begins(part):
            begun.append(part)
        else:  # what a sentence goes on with
            pieces[-1] += f"\n\n{part}"
    left = "\n\n".join(begun)
    if pieces and left.startswith(INTERRUPTED) and not marks_in(left):
        pieces[-1] += f"\n\n{left}"  # no answer follows: it is what a sentence ends with
    elif begun:
        pieces.append(left)
    return pieces


def _begins(part: str) -> bool:
    """Whether this is the beginning of an answer whose end comes later."""
    return bool(marks_in(part)) or INTERRUPTED in part or part in REPEATED


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


def number_in(chat: str | int) -> int:
    """The number at the end of a chat's name, whatever the platform calls it.

    Raises:
        ValueError: there is none.
    """
    found = _NUMBER.search(str(chat))
    if found is None:
        raise ValueError(f"no chat of a fault run: {chat}")
    return int(found[0])
