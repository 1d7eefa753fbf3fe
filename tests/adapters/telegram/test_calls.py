"""Where groups went is remembered, the newest of them."""

import pytest

from adapters.telegram.calls import Calls
from adapters.telegram.failures import CallFailed, Moved
from adapters.telegram.limits import Pace, Rates
from tests.fakes import FakeClock

REMEMBERED = 1000
FARTHER = 1_000_000


class Groups:
    """All of them have moved, and a call for an old id is told so."""

    def __init__(self) -> None:
        self.calls = Calls(Pace(FakeClock(), Rates()))
        self.asked: list[int] = []

    async def say(self, group: int) -> list[int]:
        """The ids that it took to reach this one."""
        self.asked.clear()
        await self.calls.follow(group, self._call)
        return list(self.asked)

    async def _call(self, chat: int) -> None:
        self.asked.append(chat)
        if chat > -FARTHER:
            raise CallFailed(Moved(chat - FARTHER))


async def test_the_group_that_moved_last_is_known_however_many_have_moved_before() -> None:
    groups = Groups()
    for group in range(-1, -REMEMBERED - 2, -1):
        assert await groups.say(group) == [group, group - FARTHER]
        assert await groups.say(group) == [group - FARTHER]


@pytest.mark.parametrize(("group", "reached"), [(-1, 2), (-2, 1)])
async def test_the_one_that_was_not_asked_about_for_longest_is_forgotten(
    group: int, reached: int
) -> None:
    groups = Groups()
    for each in range(-1, -REMEMBERED - 2, -1):
        await groups.say(each)
    assert len(await groups.say(group)) == reached
