"""Who is let in while a node has enough to do: the platform's patience decides."""

from datetime import timedelta

import pytest

from bot.domain.message import Kind
from bot.domain.patience import Patience
from bot.policy.welcome import AGAIN, FEW, SHARE, Lately, Welcome, comes_again, welcome

NOW = timedelta(0)
NOTHING = Lately()
LATE = AGAIN + timedelta(seconds=1)


def decided(
    patience: Patience,
    *,
    waiting: int = 10,
    lately: Lately = NOTHING,
    kind: Kind = Kind.MESSAGE,
    age: timedelta = NOW,
) -> Welcome:
    """At a door with a limit of ten."""
    return welcome(patience, waiting=waiting, limit=10, lately=lately, kind=kind, age=age)


@pytest.mark.parametrize("patience", Patience)
def test_below_the_limit_everybody_is_welcome(patience: Patience) -> None:
    lately = Lately(1000, 1000)
    assert decided(patience, waiting=9, lately=lately, age=LATE) is Welcome.ACCEPT


def test_a_platform_that_loses_what_is_refused_is_never_refused() -> None:
    assert decided(Patience.NONE, waiting=1_000_000) is Welcome.ACCEPT


@pytest.mark.parametrize("age", [NOW, LATE])
@pytest.mark.parametrize("kind", [Kind.MESSAGE, Kind.COMMAND, Kind.BUTTON])
def test_a_platform_that_keeps_everything_is_asked_to(kind: Kind, age: timedelta) -> None:
    lately = Lately(1000, 1000)
    assert decided(Patience.KEEPS, kind=kind, age=age, lately=lately) is Welcome.REFUSE


@pytest.mark.parametrize(
    ("lately", "expected"),
    [
        (Lately(), Welcome.REFUSE),
        (Lately(FEW, FEW - 1), Welcome.REFUSE),
        (Lately(FEW, FEW), Welcome.ACCEPT_AS_BUSY),
        (Lately(1000, int(1000 * SHARE) - 1), Welcome.REFUSE),
        (Lately(1000, int(1000 * SHARE)), Welcome.ACCEPT_AS_BUSY),
    ],
)
def test_one_that_minds_is_refused_only_while_refusals_are_few(
    lately: Lately, expected: Welcome
) -> None:
    assert decided(Patience.FEW_REFUSALS, lately=lately) is expected


def test_one_that_may_not_come_again_is_taken_and_told_so() -> None:
    assert decided(Patience.FEW_REFUSALS, age=LATE) is Welcome.ACCEPT_AS_BUSY
    for kind in (Kind.COMMAND, Kind.BUTTON):
        assert decided(Patience.FEW_REFUSALS, kind=kind) is Welcome.ACCEPT_AS_BUSY


@pytest.mark.parametrize(
    ("patience", "kind", "age", "expected"),
    [
        (Patience.KEEPS, Kind.BUTTON, LATE, True),
        (Patience.NONE, Kind.MESSAGE, NOW, False),
        (Patience.FEW_REFUSALS, Kind.MESSAGE, NOW, True),
        (Patience.FEW_REFUSALS, Kind.EDITED, NOW, True),
        (Patience.FEW_REFUSALS, Kind.MESSAGE, LATE, False),
        (Patience.FEW_REFUSALS, Kind.BUTTON, NOW, False),
        (Patience.FEW_REFUSALS, Kind.COMMAND, NOW, False),
    ],
)
def test_who_brings_it_again_may_be_refused_at_a_stop(
    patience: Patience, kind: Kind, age: timedelta, expected: bool
) -> None:
    assert comes_again(patience, kind=kind, age=age) is expected
