"""I1 once more: what was acknowledged is on the disk, at every instant."""

from collections.abc import Iterator

from tests.faults.checker.records import Promise, Story, Violation

SHOWN = 5
"""Messages that are named as lost from a copy."""


def durability(story: Story) -> Iterator[Violation]:
    """Every copy is a whole database, and holds all that was acknowledged before it was made."""
    acknowledged = sorted(
        (message.acknowledged_at, message.update, message.mark, message.lines)
        for message in story.messages.values()
        if message.acknowledged_at is not None
    )
    for copy in story.copies:
        if copy.integrity != "ok":
            what = f"a copy of the database does not open: {copy.integrity}"
            yield Violation(Promise.NO_LOSS, what, (str(copy.line),))
            continue
        lost = [one for one in acknowledged if one[0] < copy.at and one[1] not in copy.held]
        if lost:
            names = ", ".join(str(mark) for _, _, mark, _ in lost[:SHOWN])
            what = f"a copy of the database lacks {len(lost)} acknowledged messages: {names}"
            proof = (str(copy.line), *(str(line) for line in lost[0][3]))
            yield Violation(Promise.NO_LOSS, what, proof)
