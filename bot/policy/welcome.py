"""Whether a message is taken while a node has enough to do: by how patient its platform is.

Nothing that was taken is ever dropped; the one thing to decide is what is taken, and as what.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import assert_never

from bot.domain.message import Kind
from bot.domain.patience import Patience

FEW = 20
"""Refusals within the hour that no platform minds."""

SHARE = 0.05
"""Of the hour's deliveries that may be refused beyond `FEW`. Slack turns an app's events off when
95 % of an hour's fail: this stays far away from there, whatever else fails beside us."""

AGAIN = timedelta(seconds=30)
"""Slack comes again at once, after a minute and after five. What is older than this may be there
for the last time: another node, or an earlier start of ours, may have refused the others."""

_ONCE = frozenset({Kind.COMMAND, Kind.BUTTON})


class Welcome(StrEnum):
    """What is done with a message at the door."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    ACCEPT_AS_BUSY = "accept_as_busy"
    """Stored, and answered with the sentence that there is too much to do just now."""


@dataclass(frozen=True, slots=True)
class Lately:
    """What came through one adapter within the last hour, and what of it was refused."""

    delivered: int = 0
    refused: int = 0


def welcome(
    patience: Patience,
    *,
    waiting: int,
    limit: int,
    lately: Lately,
    kind: Kind,
    age: timedelta,
) -> Welcome:
    """Decide about one message that wants a turn, `age` after it was written."""
    if waiting < limit or patience is Patience.NONE:
        return Welcome.ACCEPT
    if patience is Patience.KEEPS:
        return Welcome.REFUSE
    few = lately.refused < max(FEW, SHARE * lately.delivered)
    again = comes_again(patience, kind=kind, age=age)
    return Welcome.REFUSE if again and few else Welcome.ACCEPT_AS_BUSY


def comes_again(patience: Patience, *, kind: Kind, age: timedelta) -> bool:
    """Whether its platform will bring it again, `age` after it was written, if it is not taken."""
    match patience:
        case Patience.KEEPS:
            return True
        case Patience.NONE:
            return False
        case Patience.FEW_REFUSALS:
            # A press or a slash command comes once: its person would only see the platform's error.
            return kind not in _ONCE and age < AGAIN
        case _:
            assert_never(patience)
