"""A growing answer is read in gulps: nothing of it is lost, and the process sleeps in between."""

import asyncio
from contextlib import aclosing

import openai
from openai import AsyncOpenAI, AsyncStream, DefaultAioHttpClient

from bot.domain.model import Delta, Finished, TextDelta
from bot.models.gulps import source_of, until_next_gulp
from tests.models.asking import asking, speaking_to, text_of
from tests.peers.model import ModelPeer
from tests.peers.model_answers import Answer, always, words


class Valve:
    """Notes in which state it was left."""

    def __init__(self) -> None:
        self.turns: list[str] = []

    def pause_reading(self) -> None:
        self.turns.append("closed")

    def resume_reading(self) -> None:
        self.turns.append("open")


async def test_a_slow_answer_arrives_whole_in_a_few_gulps() -> None:
    slow = Answer(text=words(60), chunks=60, pace=0.005)
    said: list[Delta] = []
    waits = 0
    async with (
        ModelPeer(always(slow)) as peer,
        speaking_to(peer.base_url) as model,
        aclosing(model.stream(asking())) as deltas,
    ):
        while not said or not isinstance(said[-1], Finished):
            coming = asyncio.ensure_future(anext(deltas))
            await asyncio.sleep(0)
            waits += not coming.done()
            said.append(await coming)
    assert text_of(said) == words(60)
    assert len([delta for delta in said if isinstance(delta, TextDelta)]) == 60
    assert waits < 30


async def test_what_receives_is_opened_again_also_when_the_wait_is_cancelled() -> None:
    valve = Valve()
    await until_next_gulp(valve)
    waiting = asyncio.create_task(until_next_gulp(valve))
    while valve.turns[-1] == "open":  # noqa: ASYNC110  # it closes when the task first runs
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert valve.turns == ["closed", "open"] * 2


async def test_the_vendor_still_lays_its_layers_as_we_read_them() -> None:
    held = Answer(text=words(9), chunks=9, waits={3: asyncio.Event()})
    async with (
        ModelPeer(always(held)) as peer,
        AsyncOpenAI(
            api_key="key", base_url=peer.base_url, http_client=DefaultAioHttpClient()
        ) as client,
    ):
        stream: AsyncStream[object] = await client.post(
            "/chat/completions",
            cast_to=object,
            body={"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True},
            stream=True,
            stream_cls=openai.AsyncStream[object],
        )
        assert source_of(stream.response.stream) is not None
        await stream.close()
