"""The fault matrix's disk and clocks, a part that is the same every time."""

from pathlib import Path

import pytest

from tests.faults.rows.clocks import an_hour_off
from tests.faults.rows.disk_full import full_once
from tests.faults.test_selection import kept

# A row starts its servers many times, and on a busy machine one start can take a minute.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


async def test_a_server_on_a_full_disk_refuses_what_it_cannot_keep_and_goes_on_when_there_is_room(
    tmp_path: Path,
) -> None:
    await kept(full_once, "sqlite", tmp_path)


async def test_a_sqlite_server_whose_clock_is_set_answers_everything_in_order(
    tmp_path: Path,
) -> None:
    await kept(an_hour_off, "sqlite", tmp_path)


@pytest.mark.postgres
async def test_nodes_whose_clocks_are_an_hour_apart_answer_everything_in_order(
    tmp_path: Path,
) -> None:
    await kept(an_hour_off, "postgres", tmp_path)
