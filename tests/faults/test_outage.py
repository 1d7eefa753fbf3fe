"""What a service that is gone may be made to bear, and who has borne too much is found out."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.bench import Bench
from tests.faults.rows.outage import OUTAGES, Borne, Outage, probes_in, weigh

GONE, REFUSING = OUTAGES[0], OUTAGES[1]
USUAL = Borne("n1", first=6, failed=5, probes=3, alone=36.0, found_after=8.0)


@pytest.fixture
def bench() -> Bench:
    """For a row that makes no world."""
    return Bench(Path(), "sqlite", seed=1, seconds=8.0)


@pytest.mark.parametrize(
    ("outage", "borne", "fails"),
    [
        (GONE, USUAL, False),
        # Many were asked at once, and of few of them it was known that they had failed.
        (GONE, replace(USUAL, first=30, failed=4), False),
        (GONE, replace(USUAL, first=12, failed=11), True),
        (GONE, replace(USUAL, probes=9), True),
        (GONE, replace(USUAL, probes=9, alone=600.0), False),
        # What refuses is there, and is asked once for each message.
        (REFUSING, replace(USUAL, first=40, failed=40, probes=30), False),
    ],
)
def test_who_asks_too_often_what_is_gone_has_failed(
    bench: Bench, outage: Outage, borne: Borne, *, fails: bool
) -> None:
    weigh(bench, outage, [borne], written=48)
    assert bool(bench.failed) is fails


def test_whoever_waits_twice_as_long_each_time_up_to_a_minute_tries_that_often() -> None:
    tried = {5.0: 1, 14.9: 1, 15.0: 2, 35.0: 3, 75.0: 4, 135.0: 5, 195.0: 6}
    assert {seconds: probes_in(seconds) for seconds in tried} == tried
