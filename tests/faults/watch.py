"""What people see, read from the bots' logs while a run goes on: for waiting, not for judging."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import msgspec

from tests.faults.marks import END, Mark, marks_in

EVERY = 0.05


class _Line(msgspec.Struct):
    kind: str
    text: str = ""


class Watch:
    """The marks that have a whole answer on a screen."""

    def __init__(self, files: list[Path]) -> None:
        self.answered: set[Mark] = set()
        self.sentences = 0
        """How many texts without a mark have been sent."""
        self._places = dict.fromkeys(files, 0)
        self._decoder = msgspec.json.Decoder(_Line)

    def look(self) -> None:
        """Read what is new."""
        for file, place in self._places.items():
            if not file.exists():
                continue
            with file.open("rb") as lines:
                lines.seek(place)
                while (line := lines.readline()).endswith(b"\n"):
                    self._places[file] += len(line)
                    if b'"kind":"shown"' in line or b'"kind":"edited"' in line:
                        self._see(self._decoder.decode(line).text)

    def _see(self, text: str) -> None:
        marks = marks_in(text)
        if END in text:
            self.answered.update(marks)
        elif not marks:
            self.sentences += 1

    async def until(self, marks: set[Mark], within: float) -> bool:
        """Wait until all of these are answered; False when it took too long."""
        try:
            async with asyncio.timeout(within):
                while True:
                    self.look()
                    if marks <= self.answered:
                        return True
                    await asyncio.sleep(EVERY)
        except TimeoutError:
            return False

    async def settled(self, sent: Mapping[Mark, object], within: float) -> bool:
        """Wait until everything that was sent is answered."""
        return await self.until(set(sent), within)
