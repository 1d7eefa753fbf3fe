"""The fault matrix's network, a part that is the same every time."""

from pathlib import Path

import pytest

from tests.faults.rows.cables import cut_off_once
from tests.faults.test_selection import kept

# A row starts its servers many times, and on a busy machine one start can take a minute.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.cables, pytest.mark.postgres]


async def test_others_answer_while_a_node_hears_nothing_and_it_goes_on_when_it_does(
    tmp_path: Path,
) -> None:
    await kept(cut_off_once, "postgres", tmp_path)
