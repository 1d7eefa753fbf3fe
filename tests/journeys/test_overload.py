"""One node with too much to do, seen from each platform; nothing that was taken is lost."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.journeys.program import SECRET, Program, program_config, running, telegram_config
from tests.journeys.slack_house import slack_adapter
from tests.journeys.wechat_house import wechat_config
from tests.peers.model import ModelPeer
from tests.peers.model_answers import Answer, by_words, echo
from tests.peers.slack import SlackPeer
from tests.peers.slack_events import DIRECT
from tests.peers.telegram import TelegramPeer
from tests.peers.telegram_delivery import Webhook
from tests.peers.telegram_updates import ANN, BO, private
from tests.peers.wechat import ANN as FOLLOWER
from tests.peers.wechat import WeChatPeer

pytestmark = pytest.mark.slow

BUSY = "I have too much waiting here just now"


@dataclass
class World:
    """Four platforms, one model, and a program that may answer one conversation at a time."""

    telegram: TelegramPeer
    slack: SlackPeer
    wechat: WeChatPeer
    model: ModelPeer
    program: Program
    let_go: asyncio.Event

    @property
    def webhook(self) -> Webhook:
        return Webhook(f"{self.program.url}/in/telegram", SECRET)


@asynccontextmanager
async def busy_world(folder: Path) -> AsyncGenerator[World, None]:
    """Ann's question keeps the model until `let_go`; everybody else comes meanwhile."""
    let_go = asyncio.Event()
    script = by_words({"slow": Answer(text="slowly", waits={0: let_go})}, echo())
    async with (
        TelegramPeer() as telegram,
        SlackPeer() as slack,
        WeChatPeer() as wechat,
        ModelPeer(script) as model,
    ):
        database = f"sqlite:///{folder}/parley.db"
        adapters = {
            **telegram_config(telegram, model, database=database)["adapters"],
            **wechat_config(wechat, model, database=database, speed=1.0)["adapters"],
            "slack": slack_adapter(slack, mode="http", stream="off"),
            "web": {"use": "adapters.web"},
        }
        config = program_config(model, adapters, database=database, intake={"node_limit": 1})
        async with running(folder, config) as program:
            slack.courier.url = f"{program.url}/in/slack"
            wechat.aim(f"{program.url}/in/wechat")
            world = World(telegram, slack, wechat, model, program, let_go)
            question = telegram.updates.text("a slow one")
            assert await telegram.post(question, world.webhook) == 200
            await model.wait_for(lambda: model.open, 30.0)
            yield world


async def test_each_platform_is_met_with_its_own_patience(tmp_path: Path) -> None:
    async with busy_world(tmp_path) as world:
        await _telegram_keeps_it(world)
        await _the_page_keeps_it(world)
        await _slack_is_refused_once_and_then_answered(world)
        await _wechat_is_answered(world)
        world.let_go.set()
        await world.telegram.wait_for(lambda: world.telegram.texts(private(BO)), 30.0)
        await world.telegram.wait_for(lambda: world.telegram.texts(private(ANN)), 30.0)
        assert world.telegram.texts(private(ANN)) == ["slowly"]
        assert "me too" in world.telegram.texts(private(BO))[0]


async def _telegram_keeps_it(world: World) -> None:
    update = world.telegram.updates.text("me too", sender=BO)
    assert await world.telegram.post(update, world.webhook) == 503
    world.telegram.courier.carry(update)  # again and again, until there is room


async def _the_page_keeps_it(world: World) -> None:
    async with aiohttp.ClientSession() as http:
        body = {"id": "web-1", "text": "me too"}
        headers = {"Origin": world.program.url}
        url = f"{world.program.url}/in/web/messages"
        async with http.post(url, json=body, headers=headers) as answer:
            assert answer.status == 503
            assert int(answer.headers["Retry-After"]) > 0
            assert "try again" in await answer.text()


async def _slack_is_refused_once_and_then_answered(world: World) -> None:
    slack = world.slack
    fresh = slack.events.message("me too")
    assert (await slack.courier.post(fresh)).status == 503
    stamp = f"{time.time() - 60:.6f}"
    later = slack.events.message("and me", ts=stamp)
    retry = {"X-Slack-Retry-Num": "2", "X-Slack-Retry-Reason": "http_error"}
    assert (await slack.courier.post(later, retry)).status == 200
    await slack.wait_for(lambda: slack.texts(DIRECT), 30.0)
    assert slack.texts(DIRECT)[0].startswith(BUSY)


async def _wechat_is_answered(world: World) -> None:
    told = await world.wechat.say(FOLLOWER, "me too")
    assert told.statuses == [200]
    await world.wechat.wait_for(lambda: world.wechat.texts(FOLLOWER), 30.0)
    assert "me too" in world.wechat.texts(FOLLOWER)[0]
