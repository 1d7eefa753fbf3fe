"""The model stand-in behaves like an OpenAI-compatible service towards openai's own client."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import openai
import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI
from openai.types.chat import ChatCompletionChunk

from tests.peers.faults import Fault, cut, garbage, hang, page, slow_head
from tests.peers.log import Json, Log
from tests.peers.model import ModelPeer, error_in_200, failure, out_of_quota, rate_limited
from tests.peers.model_answers import (
    Answer,
    Call,
    Dialect,
    Flaw,
    FlawKind,
    Replay,
    Usage,
    always,
    by_words,
    echo,
    in_turn,
    tool_then_answer,
    words,
)
from tests.peers.process import running

HELLO: list[Json] = [{"role": "user", "content": "hello"}]
CLOCK: Json = {
    "type": "function",
    "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture
async def peer() -> AsyncIterator[ModelPeer]:
    async with ModelPeer() as peer:
        yield peer


@pytest.fixture
async def client(peer: ModelPeer) -> AsyncIterator[AsyncOpenAI]:
    async with _client(peer) as client:
        yield client


def _client(peer: ModelPeer, key: str = "test-key", timeout: float = 5.0) -> AsyncOpenAI:
    return AsyncOpenAI(api_key=key, base_url=peer.base_url, max_retries=0, timeout=timeout)


async def _say(client: AsyncOpenAI, messages: list[Json] = HELLO, **more: Any) -> Any:
    return await client.chat.completions.create(
        model="peer-model",
        messages=messages,  # type: ignore[arg-type]  # plain objects, as a config would hold them
        **more,
    )


async def _stream(client: AsyncOpenAI, **more: Any) -> list[ChatCompletionChunk]:
    return [chunk async for chunk in await _say(client, stream=True, **more)]


async def _collect(client: AsyncOpenAI, got: list[ChatCompletionChunk]) -> None:
    async for chunk in await _say(client, stream=True):
        got.append(chunk)  # noqa: PERF401  # what came before the break is wanted too


def _text(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


async def test_an_echo_answers_each_request_differently(client: AsyncOpenAI) -> None:
    first, second = await _say(client), await _say(client)
    assert first.choices[0].message.content == "You said: hello [answer-1]"
    assert second.choices[0].message.content == "You said: hello [answer-2]"
    assert first.choices[0].finish_reason == "stop"
    assert first.usage.total_tokens > 0
    assert first.id != second.id


async def test_models_are_listed(client: AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == ["peer-model"]


async def test_a_stream_says_the_same_in_the_wanted_number_of_chunks(
    peer: ModelPeer, client: AsyncOpenAI
) -> None:
    peer.script = always(Answer(text=words(100), chunks=100))
    chunks = await _stream(client, stream_options={"include_usage": True})
    assert _text(chunks) == words(100)
    assert sum(1 for chunk in chunks if chunk.choices and chunk.choices[0].delta.content) == 100
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-2].choices[0].finish_reason == "stop"


async def test_a_tool_is_called_and_its_result_answered(
    peer: ModelPeer, client: AsyncOpenAI
) -> None:
    peer.script = tool_then_answer(Call("clock", {"zone": "Asia/Tokyo"}), Call("clock"))
    asked = await _say(client, tools=[CLOCK])
    message = asked.choices[0].message
    assert asked.choices[0].finish_reason == "tool_calls"
    assert [call.function.arguments for call in message.tool_calls] == [
        '{"zone":"Asia/Tokyo"}',
        "{}",
    ]
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": f"result {number}"}
        for number, call in enumerate(message.tool_calls)
    ]
    history = [*HELLO, message.model_dump(exclude_none=True), *results]
    answered = await _say(client, history, tools=[CLOCK])
    assert answered.choices[0].message.content == "result 0; result 1"


@pytest.mark.parametrize(
    "dialect",
    [
        Dialect(),
        Dialect(tool_names="repeated"),
        Dialect(tool_names="empty"),
        Dialect(tool_names="null"),
        Dialect(tool_index="from_one", tool_type="absent"),
        Dialect(framing="crlf", comments="each"),
        Dialect(framing="tight", usage="in_choice"),
    ],
)
async def test_a_tool_call_comes_in_pieces_in_every_dialect(dialect: Dialect) -> None:
    calls = always(Answer(calls=(Call("clock", {"zone": "Europe/Zürich"}),)))
    async with ModelPeer(calls, dialect=dialect) as peer, _client(peer) as client:
        chunks = await _stream(client, tools=[CLOCK])
        deltas = [
            call
            for chunk in chunks
            for call in (chunk.choices[0].delta.tool_calls or () if chunk.choices else ())
        ]
        assert len(deltas) == 4
        assert deltas[0].function is not None
        assert deltas[0].function.name == "clock"
        arguments = "".join(
            call.function.arguments or "" for call in deltas if call.function is not None
        )
        assert msgspec.json.decode(arguments) == {"zone": "Europe/Zürich"}


async def test_without_an_index_two_calls_come_whole() -> None:
    script = always(Answer(calls=(Call("clock"), Call("clock", {"zone": "UTC"}))))
    dialect = Dialect(tool_index="absent", no_arguments="")
    async with ModelPeer(script, dialect=dialect) as peer, _client(peer) as client:
        chunks = await _stream(client, tools=[CLOCK])
        found = [
            call.function.arguments
            for chunk in chunks
            for call in chunk.choices[0].delta.tool_calls or ()
            if call.function is not None
        ]
        assert found == ["", '{"zone":"UTC"}']


@pytest.mark.parametrize(
    ("usage", "asked", "places"),
    [
        ("asked", False, []),
        ("asked", True, ["alone"]),
        ("always", False, ["alone"]),
        ("in_choice", False, ["with a choice"]),
        ("never", True, []),
    ],
)
async def test_usage_comes_where_the_dialect_puts_it(
    usage: Any, asked: bool, places: list[str]
) -> None:
    async with (
        ModelPeer(dialect=Dialect(usage=usage)) as peer,
        _client(peer) as client,
    ):
        options = {"stream_options": {"include_usage": True}} if asked else {}
        chunks = await _stream(client, **options)
        found = ["with a choice" if c.choices else "alone" for c in chunks if c.usage is not None]
        assert found == places


async def test_reasoning_and_lists_of_parts_are_told_apart_from_the_answer() -> None:
    script = always(Answer(text="42", reasoning="six times seven", usage=Usage(5, 9, reasoning=7)))
    dialect = Dialect(content="list")
    async with ModelPeer(script, dialect=dialect) as peer, _client(peer) as client:
        chunks = await _stream(client)
        contents: list[object] = [chunk.choices[0].delta.content for chunk in chunks[1:-1]]
        assert contents[-1] == [{"type": "text", "text": "42"}]
        peer.dialect = Dialect(first_choices="empty")
        chunks = await _stream(client)
        assert chunks[0].choices == []
        thought = "".join(
            (chunk.choices[0].delta.model_extra or {}).get("reasoning_content", "")
            for chunk in chunks[1:]
        )
        assert thought == "six times seven"
        body = await _say(client)
        assert body.usage.completion_tokens_details.reasoning_tokens == 7


def _call(id: str = "c1", name: str = "clock", arguments: str = "{}") -> Json:
    function = {"name": name, "arguments": arguments}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": id, "type": "function", "function": function}],
    }


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"messages": []}, "too short - 'messages'"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "Invalid value: 'wizard'"),
        ({"messages": [{"role": "assistant", "content": None}]}, "got null"),
        ({"messages": [{"role": "user", "content": "x", "name": "Ann B."}]}, "pattern"),
        (
            {"messages": [*HELLO, {"role": "tool", "tool_call_id": "c1", "content": "x"}]},
            "preceeding",
        ),
        ({"messages": [*HELLO, _call()]}, "did not have response messages: c1"),
        ({"messages": [*HELLO, _call(), *HELLO]}, "did not have response messages: c1"),
        ({"messages": [*HELLO, _call(arguments='{"zo')]}, "not a JSON object"),
        ({"messages": HELLO, "tools": []}, "too short - 'tools'"),
        ({"messages": HELLO, "tools": [CLOCK, CLOCK]}, "must be unique"),
        ({"messages": HELLO, "tool_choice": "auto"}, "only allowed when 'tools'"),
        ({"messages": HELLO, "stream_options": {"include_usage": True}}, "only allowed when"),
        ({"messages": HELLO, "extra_body": {"telepathy": True}}, "Unknown parameter: 'telepathy'"),
        (
            {"messages": HELLO, "tools": [{"type": "function", "function": {"name": "a b"}}]},
            "does not match pattern",
        ),
        (
            {
                "messages": HELLO,
                "tools": [
                    {"type": "function", "function": {"name": "a", "parameters": {"type": "array"}}}
                ],
            },
            "Invalid schema for function 'a'",
        ),
    ],
)
async def test_what_a_strict_provider_refuses_is_refused(
    peer: ModelPeer, client: AsyncOpenAI, body: Json, reason: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=reason):
        await _say(client, **body)
    assert peer.asked[-1].refused is not None


async def test_a_prompt_over_the_budget_is_refused_by_its_code(
    peer: ModelPeer, client: AsyncOpenAI
) -> None:
    peer.budget = 100
    await _say(client)
    with pytest.raises(openai.BadRequestError) as refused:
        await _say(client, [{"role": "user", "content": "x" * 500}])
    assert refused.value.code == "context_length_exceeded"


async def test_reasoning_that_is_demanded_goes_with_the_running_turn_only(
    peer: ModelPeer, client: AsyncOpenAI
) -> None:
    peer.dialect = Dialect(reasoning_back="demanded")
    result = {"role": "tool", "tool_call_id": "c1", "content": "noon"}
    with pytest.raises(openai.BadRequestError, match="must be passed back"):
        await _say(client, [*HELLO, _call(), result])
    thought = {**_call(), "reasoning_content": "let me look"}
    await _say(client, [*HELLO, thought, result])
    with pytest.raises(openai.BadRequestError, match="must not be passed back"):
        await _say(client, [*HELLO, thought, result, *HELLO])


async def test_a_wrong_key_is_refused_and_never_repeated_in_the_error(
    peer: ModelPeer, client: AsyncOpenAI
) -> None:
    peer.key = "right"
    with pytest.raises(openai.AuthenticationError) as refused:
        await _say(client)
    assert "test-key" not in str(refused.value)


async def test_azure_has_its_own_path_and_header(peer: ModelPeer) -> None:
    peer.key = "azure-key"
    async with AsyncAzureOpenAI(
        api_key="azure-key",
        api_version="2024-10-21",
        azure_endpoint=peer.url,
        azure_deployment="house",
        max_retries=0,
    ) as client:
        assert (await _say(client)).choices[0].message.content.startswith("You said: hello")
    assert peer.asked[0].path == "/openai/deployments/house/chat/completions"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (rate_limited(2), openai.RateLimitError),
        (out_of_quota(), openai.RateLimitError),
        (failure(503), openai.InternalServerError),
        (page(502), openai.InternalServerError),
        (cut(), openai.APIConnectionError),
        (cut(effect=True), openai.APIConnectionError),
        (hang(), openai.APITimeoutError),
        (garbage(), ValueError),
    ],
)
async def test_a_planned_fault_happens_once(
    peer: ModelPeer, fault: Fault, error: type[Exception]
) -> None:
    async with _client(peer, timeout=0.3) as client:
        peer.faults.plan(fault)
        with pytest.raises(error):
            await _say(client)
        await _say(client)


async def test_headers_and_codes_tell_the_two_kinds_of_429_apart(
    peer: ModelPeer, client: AsyncOpenAI
) -> None:
    peer.faults.plan(rate_limited(2.5))
    peer.faults.plan(out_of_quota())
    with pytest.raises(openai.RateLimitError) as passing:
        await _say(client)
    with pytest.raises(openai.RateLimitError) as lasting:
        await _say(client)
    assert passing.value.response.headers["retry-after"] == "2.5"
    assert (passing.value.code, lasting.value.code) == ("rate_limit_exceeded", "insufficient_quota")


async def test_a_page_or_an_error_with_status_200_is_served_as_asked(
    peer: ModelPeer, client: AsyncOpenAI
) -> None:
    peer.faults.plan(page(200, "Welcome"))
    peer.faults.plan(error_in_200())
    assert isinstance(await _say(client), str)
    assert (await _say(client)).choices is None


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FlawKind.CUT, openai.APIConnectionError),
        (FlawKind.CUT_UTF8, openai.APIConnectionError),
        (FlawKind.CUT_JSON, openai.APIConnectionError),
        (FlawKind.MALFORMED, ValueError),
        (FlawKind.STALL, openai.APITimeoutError),
        (FlawKind.ERROR, openai.APIError),
    ],
)
async def test_a_stream_breaks_where_it_is_told_to(
    peer: ModelPeer, kind: FlawKind, error: type[Exception]
) -> None:
    peer.script = always(Answer(text="一二三四五六", chunks=6, flaw=Flaw(kind, at=3)))
    got: list[ChatCompletionChunk] = []
    async with _client(peer, timeout=0.3) as client:
        with pytest.raises(error):
            await _collect(client, got)
    assert _text(got) == "一二"


@pytest.mark.parametrize("kind", [FlawKind.EMPTY_CHOICES, FlawKind.NULL_CHOICES])
async def test_odd_chunks_stand_between_right_ones(
    peer: ModelPeer, client: AsyncOpenAI, kind: FlawKind
) -> None:
    peer.faults.plan(Flaw(kind, at=1))
    chunks = await _stream(client)
    assert not chunks[1].choices
    assert _text(chunks).startswith("You said: hello")


async def test_a_stream_may_lack_its_end(peer: ModelPeer, client: AsyncOpenAI) -> None:
    peer.faults.plan(Flaw(FlawKind.NO_FINISH))
    assert all(chunk.choices[0].finish_reason is None for chunk in await _stream(client))
    peer.faults.plan(Flaw(FlawKind.NO_DONE))
    assert (await _stream(client))[-1].choices[0].finish_reason == "stop"
    peer.faults.plan(Flaw(FlawKind.NOTHING))
    assert await _stream(client) == []
    peer.faults.plan(Flaw(FlawKind.HUGE_LINE))
    assert _text(await _stream(client)).startswith("You said: hello")


async def test_an_unstreamed_answer_has_the_same_flaws(
    peer: ModelPeer, client: AsyncOpenAI
) -> None:
    for kind in (FlawKind.CUT, FlawKind.CUT_UTF8, FlawKind.CUT_JSON, FlawKind.TRICKLE):
        peer.faults.plan(Flaw(kind, every=0.0001))
        with pytest.raises(openai.APIConnectionError):
            await _say(client)
    for kind, choices in ((FlawKind.EMPTY_CHOICES, []), (FlawKind.NULL_CHOICES, None)):
        peer.faults.plan(Flaw(kind))
        assert (await _say(client)).choices == choices
    for kind in (FlawKind.MALFORMED, FlawKind.NOTHING):
        peer.faults.plan(Flaw(kind))
        with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
            await _say(client)
    peer.faults.plan(Flaw(FlawKind.NO_FINISH))
    assert (await _say(client)).choices[0].finish_reason is None
    peer.faults.plan(Flaw(FlawKind.HUGE_LINE))
    assert (await _say(client)).choices[0].finish_reason == "stop"


async def test_a_call_is_cut_inside_its_arguments(peer: ModelPeer) -> None:
    call = Call("clock", {"city": "Reykjavik"})
    peer.script = always(Answer(calls=[call], flaw=Flaw(FlawKind.CUT_JSON, at=3)))
    heard = await _heard(peer)
    *_, cut = heard.split(b"\n\n")
    assert b'"arguments":"' in cut
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(cut.removeprefix(b"data: "))


async def test_a_stream_trickles_from_where_it_is_told_to(peer: ModelPeer) -> None:
    peer.script = always(Answer(text="one two", chunks=2))
    whole = await _heard(peer)
    peer.faults.plan(Flaw(FlawKind.TRICKLE, at=2, every=0.0001))
    heard = await _heard(peer)
    assert heard.count(b"\n\n") == 3
    assert len(heard) < len(whole)
    assert peer.log.of("outcome")[-1].fields["cut"] == "trickle"


async def test_a_head_trickles_and_never_ends(peer: ModelPeer) -> None:
    peer.faults.plan(slow_head(0.0001))
    reader, writer = await asyncio.open_connection("127.0.0.1", peer.port)
    body = b'{"model": "m", "messages": [{"role": "user", "content": "hello"}]}'
    length = b"Content-Length: %d" % len(body)
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n" + length + b"\r\n\r\n")
    writer.write(body)
    async with asyncio.timeout(10):
        head = await reader.read()
    writer.close()
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\n\r\n" not in head


@pytest.mark.parametrize(
    ("kind", "type"),
    [(FlawKind.AS_JSON, "application/json"), (FlawKind.AS_TEXT, "text/plain")],
)
async def test_a_stream_may_come_under_a_wrong_name(
    peer: ModelPeer, client: AsyncOpenAI, kind: FlawKind, type: str
) -> None:
    peer.faults.plan(Flaw(kind))
    async with client.chat.completions.with_streaming_response.create(
        model="m",
        messages=HELLO,  # type: ignore[arg-type]  # plain objects
        stream=True,
    ) as response:
        assert response.headers["content-type"].startswith(type)
        assert (await response.read()).startswith(b"data: ")


async def _heard(peer: ModelPeer) -> bytes:
    """The bytes of one streamed answer, up to where they end or break off."""
    heard = b""
    body = {"model": "m", "messages": HELLO, "stream": True}
    url = f"{peer.base_url}/chat/completions"
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as answer:
        with suppress(aiohttp.ClientPayloadError):
            async for data in answer.content.iter_any():
                heard += data
    return heard


async def test_a_caller_that_hangs_up_is_noticed(peer: ModelPeer, client: AsyncOpenAI) -> None:
    never = asyncio.Event()
    peer.script = always(Answer(text="one two three", chunks=3, waits={3: never}))
    stream = await _say(client, stream=True)
    got = [await anext(stream) for _ in range(3)]
    assert _text(got) == "one two "
    assert peer.open == peer.asked
    await stream.close()
    await peer.wait_for(lambda: peer.asked[0].closed_at)
    assert peer.asked[0].chunks == 3
    assert peer.log.of("outcome")[0].fields["closed_by"] == "caller"
    assert not peer.open


async def test_a_stream_that_was_heard_to_its_end_was_not_hung_up(
    peer: ModelPeer, client: AsyncOpenAI
) -> None:
    await _stream(client)
    await peer.wait_for(lambda: peer.asked[0].ended_at)
    assert peer.asked[0].closed_at is None
    assert peer.log.of("outcome")[0].fields["status"] == 200


async def test_an_answer_can_be_held_until_the_test_says_go(
    peer: ModelPeer, client: AsyncOpenAI
) -> None:
    go = asyncio.Event()
    peer.script = always(Answer(text="at last", waits={0: go}))
    waiting = asyncio.create_task(_say(client))
    await peer.wait_for(lambda: peer.open)
    assert not waiting.done()
    go.set()
    assert (await waiting).choices[0].message.content == "at last"


async def test_a_paced_stream_arrives_in_single_chunks(
    peer: ModelPeer, client: AsyncOpenAI
) -> None:
    peer.script = always(Answer(text="abcd", chunks=4, pace=0.001, first=0.001))
    assert _text(await _stream(client)) == "abcd"
    assert peer.asked[0].chunks == 7


async def test_scripts_compose(peer: ModelPeer, client: AsyncOpenAI) -> None:
    peer.script = by_words(
        {"hello": in_turn(Answer(text="first"), then=always(Answer(text="later")))}, echo()
    )
    texts = [(await _say(client)).choices[0].message.content for _ in range(3)]
    assert texts == ["first", "later", "later"]
    other = await _say(client, [{"role": "user", "content": [{"type": "text", "text": "other"}]}])
    assert other.choices[0].message.content == "You said: other [answer-1]"


@pytest.mark.fixtures
async def test_recordings_are_served_as_they_are(shared: Path) -> None:
    folder = shared / "fixtures" / "openai"
    recorded = folder / "openai_stream_recorded.sse.txt"
    async with ModelPeer() as peer, _client(peer) as client:
        peer.script = always(Replay(recorded, chop=7))
        assert _text(await _stream(client))
        peer.script = always(Replay(folder / "llamacpp_stream_tool_call_repeats_name.json"))
        assert (await _stream(client))[-1].choices[0].finish_reason == "tool_calls"
        peer.script = always(Replay(folder / "openai_completion_tool_call.json"))
        assert (await _say(client)).choices[0].finish_reason == "tool_calls"
        peer.script = always(Replay(folder / "constructed_error_429_rate.json"))
        with pytest.raises(openai.RateLimitError) as refused:
            await _say(client)
        assert refused.value.response.headers["retry-after"] == "2"
        peer.script = always(Replay(folder / "constructed_error_500_html.json"))
        with pytest.raises(openai.InternalServerError):
            await _say(client)


@pytest.mark.fixtures
async def test_every_recording_can_be_served(shared: Path) -> None:
    async with ModelPeer() as peer, _client(peer) as client:
        for path in sorted((shared / "fixtures" / "openai").iterdir()):
            if path.suffix == ".md":
                continue
            peer.script = always(Replay(path))
            # The raw answer: many of these no client can decode, and that is what they are for.
            with suppress(openai.APIStatusError):
                await client.chat.completions.with_raw_response.create(
                    model="m", messages=[{"role": "user", "content": "x"}]
                )
        assert all(exchange.status is not None for exchange in peer.exchanges)


async def test_the_log_tells_a_checker_everything(tmp_path: Path) -> None:
    file = tmp_path / "model.jsonl"
    async with ModelPeer(log=Log(file)) as peer, _client(peer) as client:
        await _stream(client)
    request, outcome = [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]
    assert request["body"]["messages"] == HELLO
    assert (outcome["status"], outcome["finish"], outcome["call"]) == (200, "stop", request["call"])
    assert outcome["usage"]["prompt_tokens"] > 0
    assert request["mono"] <= outcome["mono"]


async def test_a_peer_runs_as_a_process_and_stops_with_its_pipe(tmp_path: Path) -> None:
    file = tmp_path / "model.jsonl"
    async with running("model", "--tokens", "40", log=file) as remote:
        client = AsyncOpenAI(api_key="k", base_url=f"{remote.url}/v1", max_retries=0)
        assert (await _say(client)).choices[0].message.content == words(40)
        await remote.tell("faults", name="failure", args={"status": 503})
        with pytest.raises(openai.InternalServerError):
            await _say(client)
        await remote.tell("tool", name="clock")
        assert (await _say(client)).choices[0].finish_reason == "tool_calls"
        kinds = [entry["kind"] for entry in await remote.log()]
        await client.close()
    assert kinds == ["request", "outcome"] * 3
    assert len(file.read_bytes().splitlines()) == 6


async def test_a_process_of_telegram_takes_updates_from_its_driver() -> None:
    async with running("telegram") as remote:
        update = {"update_id": 1, "message": {"message_id": 1, "chat": {"id": 7}, "text": "x"}}
        await remote.tell("push", updates=[update])
        url = f"{remote.url}/bot123456789:TEST-token-of-the-peer"
        async with remote.session.post(f"{url}/getUpdates") as answer:
            assert (await answer.json())["result"] == [update]
        async with remote.session.post(f"{url}/sendMessage", json={"chat_id": 7, "text": "y"}):
            pass
        assert await remote.tell("texts", chat=7) == ["y"]


async def test_a_process_stops_when_it_is_told_to() -> None:
    async with running("telegram", "--seconds", "60") as remote:
        os.kill(remote.pid, signal.SIGTERM)
        assert await remote.ended() == 0
