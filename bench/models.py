"""What one model call costs this process in CPU, beside the vendor's own `create()`.

    python -m bench.models [calls]

A peer in a process of its own answers; histories have 21 messages. Streams have 100 chunks, all in
one burst: what is left is decoding, not waiting.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from openai import AsyncOpenAI

from bot.domain.conversation import ConversationId, TurnId
from bot.domain.message import Message, Role, Text
from bot.domain.model import Facts, Request, TextDelta
from bot.models.openai import OpenAIModel
from bot.models.openai_client import OpenAIOptions
from tests.peers.process import running

CHUNKS = 100
HISTORY = 21
AT_ONCE = 8
WORDS = " ".join(f"word{n:03}" for n in range(CHUNKS))
Call = Callable[[], Awaitable[int]]


class WallClock:
    """The real time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def request(*, watched: bool) -> Request:
    """A conversation of the usual length."""
    now = datetime.now(UTC)
    roles = [Role.SYSTEM, *[Role.USER, Role.ASSISTANT] * (HISTORY // 2)]
    messages = [Message(role, (Text(f"{role} says {WORDS[:160]}"),), now) for role in roles]
    messages[-1] = Message(Role.USER, (Text("and now?"),), now)
    facts = Facts("default", "answer", ConversationId(1), "p", TurnId(1))
    deadline = now + timedelta(minutes=5)
    return Request(tuple(messages), facts, deadline, watched=watched)


def plain(asked: Request) -> list[Any]:
    """The same history as the vendor's client takes it."""
    return [{"role": one.role.value, "content": one.text} for one in asked.messages]


async def measure(call: Call, calls: int) -> float:
    """CPU of this process for each call, in microseconds."""
    await asyncio.gather(*(call() for _ in range(AT_ONCE)))
    began = time.process_time()
    for _ in range(calls // AT_ONCE):
        sizes = await asyncio.gather(*(call() for _ in range(AT_ONCE)))
        assert set(sizes) == {len(WORDS)}, sizes
    return (time.process_time() - began) / (calls // AT_ONCE * AT_ONCE) * 1e6


async def main(calls: int) -> None:
    """Measure both ways against the same peer and print the table."""
    async with running("model") as peer:
        await peer.tell("answer", text=WORDS, chunks=CHUNKS)
        url = f"{peer.url}/v1"
        ours = OpenAIModel(OpenAIOptions("main", "m", api_key="k", base_url=url), WallClock())
        vendor = AsyncOpenAI(api_key="k", base_url=url, max_retries=0)
        watched, unwatched = request(watched=True), request(watched=False)

        async def lean(asked: Request) -> int:
            return sum([len(d.text) async for d in ours.stream(asked) if isinstance(d, TextDelta)])

        async def vendor_stream() -> int:
            stream = await vendor.chat.completions.create(
                model="m", messages=plain(watched), stream=True
            )
            texts = [c.choices[0].delta.content or "" async for c in stream if c.choices]
            return sum(map(len, texts))

        async def vendor_whole() -> int:
            whole = await vendor.chat.completions.create(model="m", messages=plain(unwatched))
            return len(whole.choices[0].message.content or "")

        print(f"CPU per call, {HISTORY} messages, {calls} calls, {AT_ONCE} at once")
        rows: list[tuple[str, Call, Call]] = [
            ("unstreamed", lambda: lean(unwatched), vendor_whole),
            (f"stream of {CHUNKS} chunks, burst", lambda: lean(watched), vendor_stream),
        ]
        for name, mine, theirs in rows:
            own, other = await measure(mine, calls), await measure(theirs, calls)
            print(f"{name:32} ours {own:8.0f} us   vendor's create() {other:8.0f} us")
        await ours.close()
        await vendor.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 160))
