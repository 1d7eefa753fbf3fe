"""Changing a key of `intake`, `session` or `outbox` changes what a person sees."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot import Address, Ambiguous, Held, Transient
from bot.domain.records import OutboxState
from tests.fakes import until
from tests.journeys.inside import BOB, inside
from tests.peers.model import ModelPeer
from tests.peers.model_answers import Answer, Asked, by_words, echo, in_turn

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def counting(asked: Asked) -> Answer:
    """Says how many messages of people it was shown."""
    return Answer(text=f"{sum(m['role'] == 'user' for m in asked.messages)} said")


@pytest.mark.parametrize(("locale", "words"), [("en", "Just write"), ("zh", "直接给我发消息")])
async def test_locale(tmp_path: Path, locale: str, words: str) -> None:
    async with inside(tmp_path, locale=locale) as house:
        assert (await house.ask("/help")).startswith(words)


@pytest.mark.parametrize(("max_age", "words"), [("1h", "You said"), ("5m", "I was away")])
async def test_intake_max_age(tmp_path: Path, max_age: str, words: str) -> None:
    intake = {"max_age": max_age}
    async with (
        ModelPeer(echo()) as model,
        inside(tmp_path, model, awake=False, intake=intake) as house,
    ):
        await house.say("are you there?")
        house.clock.advance(10 * MINUTE)
        await house.wake_up()
        assert (await house.has_sent(1))[0].startswith(words)


@pytest.mark.parametrize(("max_size", "words"), [(2000, "You said"), (1000, "too long")])
async def test_intake_max_size(tmp_path: Path, max_size: int, words: str) -> None:
    async with (
        ModelPeer(echo()) as model,
        inside(tmp_path, model, intake={"max_size": max_size}) as house,
    ):
        assert words in await house.ask("x" * 1500)


@pytest.mark.parametrize(("limit", "busy"), [(50, 0), (2, 1)])
async def test_intake_lane_limit(tmp_path: Path, limit: int, busy: int) -> None:
    intake = {"lane_limit": limit}
    async with (
        ModelPeer(echo()) as model,
        inside(tmp_path, model, awake=False, intake=intake) as house,
    ):
        for text in ("one", "two", "three"):
            await house.say(text)
        await house.wake_up()
        texts = await house.has_sent(1 + busy)
        assert len([text for text in texts if "too much waiting" in text]) == busy
        assert f"You said: {'two' if busy else 'three'}" in texts[-1]


@pytest.mark.parametrize(("limit", "taken"), [(1, False), (2, True)])
async def test_intake_node_limit(tmp_path: Path, limit: int, taken: bool) -> None:
    let_go = asyncio.Event()
    script = by_words({"slow": Answer(text="slowly", waits={0: let_go})}, echo())
    async with (
        ModelPeer(script) as model,
        inside(tmp_path, model, intake={"node_limit": limit}) as house,
    ):
        await house.say("a slow one")
        await model.wait_for(lambda: model.open)
        if taken:
            await house.say("me too", chat="another")
        else:
            with pytest.raises(Transient):
                await house.say("me too", chat="another")
        let_go.set()
        assert len(await house.has_sent(1 + taken)) == 1 + taken


@pytest.mark.parametrize(
    ("while_busy", "answers"), [("queue", ["first", "second"]), ("interrupt", ["second"])]
)
async def test_intake_while_busy(tmp_path: Path, while_busy: str, answers: list[str]) -> None:
    let_go = asyncio.Event()
    script = in_turn(Answer(text="first", waits={0: let_go}), Answer(text="second"))
    async with (
        ModelPeer(script) as model,
        inside(tmp_path, model, intake={"while_busy": while_busy}) as house,
    ):
        await house.say("one")
        await model.wait_for(lambda: model.open)
        await house.say("two")
        if while_busy == "queue":
            let_go.set()
        assert await house.has_sent(len(answers)) == answers
        assert (model.asked[0].closed_at is None) is (while_busy == "queue")


@pytest.mark.parametrize(("gather", "answers"), [("0s", 2), ("5s", 1)])
async def test_intake_gather(tmp_path: Path, gather: str, answers: int) -> None:
    async with (
        ModelPeer(counting) as model,
        inside(tmp_path, model, intake={"gather": gather}) as house,
    ):
        await house.say("one")
        if gather == "0s":
            await house.has_sent(1)
        await house.say("two")
        house.clock.advance(5)
        texts = await house.has_sent(answers)
        assert texts == ["1 said", "2 said"][-answers:]


SESSIONS: list[Any] = [
    ({"session": {"idle": "2h"}}, "2 said"),
    ({"session": {"idle": "10m"}}, "1 said"),
    ({"adapters": {"list": {"use": "tests.journeys.listed", "session": "10m"}}}, "1 said"),
    (
        {
            "adapters": {"list": {"use": "tests.journeys.listed", "audience": "guests"}},
            "audiences": {"guests": {"session": "10m"}},
        },
        "1 said",
    ),
]


@pytest.mark.parametrize(("changes", "words"), SESSIONS)
async def test_session_idle(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    async with ModelPeer(counting) as model, inside(tmp_path, model, **changes) as house:
        assert await house.ask("one") == "1 said"
        await house.later(30 * MINUTE)
        assert await house.ask("two") == words


@pytest.mark.parametrize(
    ("window", "words"), [({}, "4 said"), ({"messages": 2}, "2 said"), ({"tokens": 200}, "1 said")]
)
async def test_session_window(tmp_path: Path, window: dict[str, int], words: str) -> None:
    async with (
        ModelPeer(counting) as model,
        inside(tmp_path, model, session={"window": window}) as house,
    ):
        for _ in range(3):
            await house.ask("a long story " * 100)
        assert await house.ask("and now?") == words


@pytest.mark.parametrize(("retain", "kept"), [("90d", 2), ("30d", 0)])
async def test_session_retain(tmp_path: Path, retain: str, kept: int) -> None:
    async with (
        ModelPeer(echo()) as model,
        inside(tmp_path, model, session={"retain": retain}) as house,
    ):
        await house.ask("remember me")
        await house.later(40 * DAY)
        await house.tick("retention")
        place = Address("list", "list", "room")
        page = await house.app.store.page("default", place, before=None, limit=10)
        assert len(page) == kept


@pytest.mark.parametrize(("journal", "kept"), [("7d", 1), ("1d", 0)])
async def test_session_journal(tmp_path: Path, journal: str, kept: int) -> None:
    async with (
        ModelPeer(echo()) as model,
        inside(tmp_path, model, session={"journal": journal}) as house,
    ):
        await house.ask("hello")
        await house.later(2 * DAY)
        await house.tick("retention")
        assert len(await house.app.store.outbox_rows([OutboxState.SENT])) == kept


@pytest.mark.parametrize(
    ("ambiguous", "texts", "dead"),
    [("repeat", ["(sent again) You said: hi [answer-1]"], 0), ("report", [], 1)],
)
async def test_outbox_ambiguous(
    tmp_path: Path, ambiguous: str, texts: list[str], dead: int
) -> None:
    async with (
        ModelPeer(echo()) as model,
        inside(tmp_path, model, outbox={"ambiguous": ambiguous}) as house,
    ):
        house.platform().faults = [Ambiguous()]
        await house.say("hi")
        await until(lambda: house.platform().taken_although_lost)
        assert await house.has_sent(len(texts)) == texts
        assert len(await house.app.store.outbox_rows([OutboxState.DEAD])) == dead


@pytest.mark.parametrize(("expires", "sent"), [("1h", 1), ("10m", 0)])
async def test_outbox_expires(tmp_path: Path, expires: str, sent: int) -> None:
    async with (
        ModelPeer(echo()) as model,
        inside(tmp_path, model, outbox={"expires": expires}) as house,
    ):
        house.platform().faults = [Transient(retry_after=timedelta(minutes=30))]
        await house.say("hi")
        await until(lambda: not house.platform().faults)
        await house.at_rest()
        await house.later(31 * MINUTE)
        await house.ask("and now?", sender=BOB, chat="another")
        assert len(house.platform().sent) == sent + 1


@pytest.mark.parametrize(("hold", "held"), [("7d", 1), ("1d", 0)])
async def test_outbox_hold(tmp_path: Path, hold: str, held: int) -> None:
    async with (
        ModelPeer(echo()) as model,
        inside(tmp_path, model, outbox={"hold": hold, "expires": "30d"}) as house,
    ):
        house.platform().faults = [Held()]
        await house.say("hi")
        await until(lambda: not house.platform().faults)
        await house.at_rest()
        await house.later(2 * DAY)
        await house.tick("outbox")
        await house.say("and now?")
        assert len(await house.has_sent(held + 1)) == held + 1
