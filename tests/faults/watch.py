"""What people see, read from the bots' logs while a run goes on: for waiting, not for judging."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from tests.faults.marks import Mark, Talk, is_outcome, marks_in, number_in, pieces_of
from tests.faults.platforms import FIRST_CHAT

EVERY = 0.05


class Written(Protocol):
    """A message that somebody wrote."""

    at: int


class _Line(msgspec.Struct):
    kind: str
    mono: int
    chat: int = 0
    """Telegram's word for it; the next ones are Slack's and WeChat's."""
    channel: str = ""
    openid: str = ""
    text: str = ""


class Watch:
    """Which messages have their outcome on a screen."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self.answered: set[Mark] = set()
        self.sentences: dict[Talk, int] = {}
        """When a conversation was last told a sentence that names no message."""
        self._files = files
        self._places = dict.fromkeys(files, 0)
        self._decoder = msgspec.json.Decoder(_Line)

    def look(self) -> None:
        """Read what is new."""
        for tenant, file in self._files.items():
            if not file.exists():
                continue
            with file.open("rb") as lines:
                lines.seek(self._places[tenant])
                while (line := lines.readline()).endswith(b"\n"):
                    self._places[tenant] += len(line)
                    if b'"kind":"shown"' in line or b'"kind":"edited"' in line:
                        self._see(tenant, self._decoder.decode(line))

    def _see(self, tenant: str, line: _Line) -> None:
        chat = line.channel or line.openid or line.chat
        for text in filter(is_outcome, pieces_of(line.text)):
            marks = marks_in(text)
            self.answered.update(marks)
            if not marks:
                self.sentences[Talk(tenant, number_in(chat) - FIRST_CHAT)] = line.mono

    def has_outcome(self, mark: Mark, sent: Written) -> bool:
        """An answer, or a sentence in its conversation that came after it."""
        return mark in self.answered or self.sentences.get(mark.talk, 0) > sent.at

    def unanswered(self, sent: Mapping[Mark, Written]) -> set[Mark]:
        """What of this has no answer of its own; a sentence may have been for an earlier one."""
        self.look()
        return sent.keys() - self.answered

    def lacking(self, sent: Mapping[Mark, Written]) -> dict[Mark, Written]:
        """What of this has no outcome yet."""
        self.look()
        return {mark: one for mark, one in sent.items() if not self.has_outcome(mark, one)}

    async def settled(self, sent: Mapping[Mark, Written], within: float) -> bool:
        """Wait until everything that was sent has its outcome; False when it took too long."""
        left = dict(sent)
        try:
            async with asyncio.timeout(within):
                while True:
                    left = self.lacking(left)
                    if not left:
                        return True
                    await asyncio.sleep(EVERY)
        except TimeoutError:
            return False
