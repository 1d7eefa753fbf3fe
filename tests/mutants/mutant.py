"""A mutant: a small, named edit that takes one promise out of a copy of the source."""

from dataclasses import dataclass
from pathlib import Path


class RottenError(Exception):
    """The text that a mutant takes out is no longer there: the mutant has to follow the code."""


@dataclass(frozen=True, slots=True)
class Edit:
    """`old` stands exactly once in `file`; `new` is put in its place."""

    file: str
    old: str
    new: str

    def check(self, root: Path) -> str:
        """The file's text.

        Raises:
            RottenError: `old` is not there, or more than once.
        """
        path = root / self.file
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        if (found := text.count(self.old)) != 1:
            first = self.old.strip().splitlines()[0]
            raise RottenError(f"{self.file}: found {found} times instead of once: {first}")
        return text

    def make(self, root: Path) -> None:
        """Change the file.

        Raises:
            RottenError: `old` is not there, or more than once.
        """
        text = self.check(root).replace(self.old, self.new)
        (root / self.file).write_text(text, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Mutant:
    """What is taken out, by which edits, and the tests (files, or single ones) that must notice.

    `only` names the store whose tests are asked, for a mutant of one store.
    """

    name: str
    says: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]
    only: str = ""

    @property
    def needs(self) -> str:
        """What the machine has to have; a kind of `tests/needs.py`."""
        return "postgres" if self.only == "postgres" else ""


def mutant(
    name: str, says: str, edit: tuple[str, str, str], *, tests: str, only: str = ""
) -> Mutant:
    """A mutant of one edit (file, old, new); `tests` are paths with spaces between."""
    return Mutant(name, says, (Edit(*edit),), tuple(tests.split()), only)
