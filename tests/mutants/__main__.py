"""`make mutants`: take one promise after the other out of a copy; every time a test must notice."""

import argparse
import sys
import time

from tests import needs
from tests.mutants.listed import ALL
from tests.mutants.mutant import Mutant, RottenError
from tests.mutants.page import write
from tests.mutants.trial import Trials, Verdict, trials

SHOWN = 25
"""Lines of what pytest said, where it was not what it should be."""


def main() -> int:
    """0 when every mutant was noticed."""
    arguments = _parser().parse_args()
    absent = needs.absent()
    asked = [one for one in ALL.values() if _is_wanted(one, arguments.mutants)]
    here = [one for one in asked if one.needs not in absent]
    if not here:
        _say("no such mutant")
        return 1
    with trials() as found:
        if not _passes(found, here):
            return 1
        noticed = _all(found, here)
    if arguments.write:
        write(noticed)
    survived = [one.name for one in here if one.name not in noticed]
    _say(f"{len(noticed)} of {len(here)} mutants were noticed")
    if left_out := len(asked) - len(here):
        _say(f"not run here: {left_out} mutants ({absent['postgres']})")
    if survived:
        _say(f"survived: {', '.join(survived)}")
    return 1 if survived else 0


def _is_wanted(one: Mutant, words: list[str]) -> bool:
    return not words or any(one.name.startswith(word) for word in words)


def _passes(found: Trials, mutants: list[Mutant]) -> bool:
    """Whether the tests pass as the code stands: otherwise their failing proves nothing."""
    for verdict in found.unmutated(mutants):
        _say(f"unmutated: {verdict.said.strip().splitlines()[-1]}")
        if not verdict.passed:
            _quote(verdict)
            return False
    return True


def _all(found: Trials, mutants: list[Mutant]) -> dict[str, str]:
    """The tests that noticed, by the mutant's name."""
    noticed = {}
    for one in mutants:
        started = time.monotonic()
        try:
            verdict = found.mutated(one)
        except RottenError as error:
            _say(f"{one.name}: ROTTEN: {error}")
            continue
        took = f"{time.monotonic() - started:.0f} s"
        if verdict.caught:
            noticed[one.name] = verdict.failed[0]
            _say(f"{one.name}: noticed ({took}) by {', '.join(verdict.failed)}")
        else:
            _say(f"{one.name}: SURVIVED ({took}): {one.says}; pytest ended with {verdict.code}")
            _quote(verdict)
    return noticed


def _quote(verdict: Verdict) -> None:
    for line in verdict.said.strip().splitlines()[-SHOWN:]:
        _say(f"    {line}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument(
        "mutants", nargs="*", metavar="MUTANT", help="beginnings of names; default all"
    )
    parser.add_argument("--write", action="store_true", help="draw docs/reliability.md's table")
    return parser


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
