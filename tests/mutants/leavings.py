"""Leavings: of a turn that has ended nothing stays behind."""

from tests.mutants.mutant import mutant

MUTANTS = (
    mutant(
        "ring-left",
        "what a turn held, its whole prompt, waits for the collector of garbage",
        ("bot/engine/working.py", "            answering.let_go()\n", "            pass\n"),
        tests="tests/engine/test_letting_go.py",
    ),
)
