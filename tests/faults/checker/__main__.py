"""`python -m tests.faults.checker LOGDIR`: 0 when every promise was kept, else 1."""

import dataclasses
import json
import sys
from pathlib import Path

from tests.faults.checker.judge import judge

MOST = 50
"""Violations that are printed whole; beyond that nobody reads."""


def main() -> int:
    """Judge the runs whose folders are named."""
    code = 0 if sys.argv[1:] else 2  # nothing was judged: nothing is proven
    for name in sys.argv[1:]:
        verdict = judge(Path(name))
        for violation in verdict.violations[:MOST]:
            _say(f"{violation.promise}: {violation.what}")
            for line in violation.evidence:
                _say(f"    {line}")
        figures = dataclasses.asdict(verdict.figures)
        _say(json.dumps({"run": name, "violations": len(verdict.violations)} | figures))
        code = code or int(bool(verdict.violations))
    return code


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
