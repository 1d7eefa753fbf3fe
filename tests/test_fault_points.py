"""The named points of fault runs: what they cost without one, and where a process stands still."""

import asyncio
from pathlib import Path

import pytest

from bot.errors import ConfigError
from bot.faults import point_of, standing_still
from tests.fakes import until


class _Store:
    """Counts what is done with it."""

    def __init__(self) -> None:
        self.taken = 0
        self.asked = 0

    async def take(self) -> int:
        self.taken += 1
        return self.taken

    async def ask(self) -> None:
        self.asked += 1


def test_without_a_point_of_its_own_a_store_stays_the_very_same_object() -> None:
    store = _Store()
    assert point_of({}) is None
    assert standing_still("store", store, None) is store
    assert standing_still("store", store, point_of({"PARLEY_FAULT": "model.ask:after"})) is store


@pytest.mark.parametrize(
    "text",
    [
        "store",
        "store.take",
        "take:after",
        ".take:after",
        "store.take:while",
        "store.take:after#x",
        "store.take:after#0",
        "store.take:after#-1",
    ],
)
def test_a_point_that_cannot_be_read_is_told_in_a_sentence(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^PARLEY_FAULT: write owner\.method:before"):
        point_of({"PARLEY_FAULT": text})


@pytest.mark.parametrize(("when", "done"), [("before", 1), ("after", 2)])
async def test_it_stands_still_at_that_call_counted_from_when_it_is_armed(
    tmp_path: Path, when: str, done: int
) -> None:
    report, arm = tmp_path / "report", tmp_path / "arm"
    environ = {
        "PARLEY_FAULT": f"store.take:{when}#2",
        "PARLEY_FAULT_FILE": str(report),
        "PARLEY_FAULT_ARM": str(arm),
    }
    inner = _Store()
    store = standing_still("store", inner, point_of(environ))
    await store.take()
    await store.take()
    assert not report.exists()
    arm.touch()
    inner.taken = 0
    await store.take()
    still = asyncio.create_task(store.take())
    await until(lambda: report.exists() and report.read_text(encoding="utf-8"))
    assert report.read_text(encoding="utf-8") == f"store.take:{when}"
    assert inner.taken == done
    await store.ask()
    assert inner.asked == 1
    assert not still.done()
    still.cancel()
