"""So many turns at once, each an answer that takes a minute to say."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from bench.hold.figures import Figure
from bench.hold.house import House
from bench.hold.people import People
from bench.hold.plan import Row, Sizes
from tests.peers.model_answers import words

MEMORY = 400.0
"""Megabytes that a process may hold."""
GATHER = 10.0
"""Seconds in which the people begin."""
LOOKS = 2.0
"""How often a second the memory is looked at."""


async def measure(house: House, row: Row, sizes: Sizes) -> list[Figure]:
    """Everybody watches their answer grow by a word a second."""
    turns = max(1, int(row.size * sizes.flight_share))
    seconds = sizes.answer_seconds
    gather = min(GATHER, seconds / 2)
    async with house.nodes(row, stream=True) as nodes, house.people(nodes, sizes) as people:
        await people.answered(await people.steadily(10, 1))
        await house.model.tell("answer", text=words(seconds), chunks=seconds, pace=1.0)
        before, used, most = Counter(people.watch.of_chat), nodes.cpu(), nodes.rss_mb()
        asking = asyncio.ensure_future(people.steadily(turns / gather, gather))
        answered = 0
        try:
            # Once everybody has been answered, or nobody can be waiting for a model any more.
            for _ in range(int(LOOKS * 2 * (seconds + GATHER))):
                await asyncio.sleep(1 / LOOKS)
                most = max(most, nodes.rss_mb())
                answered = _answered(people, before, asking.result()) if asking.done() else 0
                if answered == turns:
                    break
        finally:
            asking.cancel()
        used = nodes.cpu() - used
        return [
            Figure("turns at once", people.watch.most_open, least=turns),
            Figure("answered once", answered, least=turns),
            Figure("RSS of a node at most", most, "MB", most=MEMORY),
            Figure("CPU each", used * 1000 / turns, "ms"),
        ]


def _answered(people: People, before: Counter[int], numbers: Sequence[int]) -> int:
    """How many of them have one answer: the text of these has no number in it."""
    shown = people.watch.of_chat
    chats = (people.chat_of[number] for number in numbers)
    return sum(shown[chat] - before[chat] == 1 for chat in chats)
