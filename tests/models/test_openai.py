"""The OpenAI wire against a model peer: dialects, flaws, budgets, and a connection that closes."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.conversation import Usage
from bot.domain.message import Message, Reasoning, Role, ToolCall, ToolResult
from bot.domain.model import Finished, Reason, TextDelta, ToolCallDelta
from bot.errors import ContextTooLong, Permanent, Transient
from bot.models.failures import Busy
from tests.fakes import EPOCH
from tests.models.asking import (
    TOOL,
    asking,
    calls_of,
    collect,
    end_of,
    first_of,
    said,
    speaking_to,
    text_of,
    thoughts_of,
)
from tests.peers import faults
from tests.peers.model import (
    ModelPeer,
    error_in_200,
    failure,
    flawed,
    out_of_quota,
    rate_limited,
)
from tests.peers.model_answers import Answer, Call, Dialect, always, words
from tests.peers.model_answers import Usage as Counted

AT_ONCE = 1_000_000
"""Microseconds: the answers in question never end, so whoever waited for that would be told."""
BOTH = pytest.mark.parametrize("watched", [True, False], ids=["streamed", "whole"])
DIALECTS = [
    Dialect(),
    Dialect(usage="always"),
    Dialect(usage="never"),
    Dialect(usage="in_choice"),
    Dialect(tool_index="absent"),
    Dialect(tool_index="from_one"),
    Dialect(tool_index="absent", tool_names="repeated"),
    Dialect(tool_names="repeated"),
    Dialect(tool_names="empty"),
    Dialect(tool_names="null"),
    Dialect(tool_type="absent"),
    Dialect(content="list"),
    Dialect(reasoning="reasoning"),
    Dialect(first_choices="empty"),
    Dialect(framing="crlf"),
    Dialect(framing="tight"),
    Dialect(comments="each"),
]


@BOTH
@pytest.mark.parametrize("dialect", DIALECTS, ids=str)
async def test_every_dialect_says_the_same(dialect: Dialect, watched: bool) -> None:
    answer = Answer(
        text="Ünder 东京 it is noon.",
        reasoning="They ask for the time.",
        calls=[Call("get_time", {"city": "东京"}), Call("get_time", {"city": "Rome"})],
        usage=Counted(100, 20, reasoning=5, cached=64),
    )
    async with (
        ModelPeer(always(answer), dialect=dialect) as peer,
        speaking_to(peer.base_url) as model,
    ):
        deltas = await collect(model, asking("time?", tools=[TOOL], watched=watched))
    assert text_of(deltas) == answer.text
    assert thoughts_of(deltas) == answer.reasoning
    assert [(call.name, call.arguments) for call in calls_of(deltas)] == [
        (call.name, call.text) for call in answer.calls
    ]
    assert len({call.id for call in calls_of(deltas)}) == 2
    counted = [delta for delta in deltas if isinstance(delta, Usage)]
    assert counted == ([] if dialect.usage == "never" else [Usage(100, 20, 64, 5)])
    assert end_of(deltas) == Finished(Reason.TOOLS, "main")


@BOTH
async def test_a_tool_without_parameters_gets_an_empty_object(watched: bool) -> None:
    answer = Answer(calls=[Call("now", "")])
    async with (
        ModelPeer(always(answer), dialect=Dialect(no_arguments="")) as peer,
        speaking_to(peer.base_url) as model,
    ):
        deltas = await collect(model, asking(watched=watched))
    (call,) = calls_of(deltas)
    assert (call.name, call.arguments) == ("now", "{}")


async def test_an_unwatched_call_is_not_streamed_and_comes_as_one_text() -> None:
    async with (
        ModelPeer(always(Answer(text=words(40)))) as peer,
        speaking_to(peer.base_url) as model,
    ):
        deltas = await collect(model, asking(watched=False))
    assert [asked.streamed for asked in peer.asked] == [False]
    assert [delta.text for delta in deltas if isinstance(delta, TextDelta)] == [words(40)]


async def test_a_watched_call_grows() -> None:
    async with (
        ModelPeer(always(Answer(text=words(40), chunks=20))) as peer,
        speaking_to(peer.base_url) as model,
    ):
        deltas = await collect(model, asking())
    assert len([delta for delta in deltas if isinstance(delta, TextDelta)]) == 20
    assert text_of(deltas) == words(40)


@BOTH
@pytest.mark.parametrize(
    ("finish", "reason"),
    [("stop", Reason.STOP), ("length", Reason.LENGTH), ("content_filter", Reason.FILTERED)],
)
async def test_why_it_ended_is_told(finish: str, reason: Reason, watched: bool) -> None:
    async with (
        ModelPeer(always(Answer(text="so far", finish=finish))) as peer,
        speaking_to(peer.base_url) as model,
    ):
        deltas = await collect(model, asking(watched=watched))
    assert end_of(deltas).reason is reason
    assert text_of(deltas) == "so far"


@BOTH
async def test_a_refusal_by_the_filter_has_no_text(watched: bool) -> None:
    async with (
        ModelPeer(always(Answer(finish="content_filter"))) as peer,
        speaking_to(peer.base_url) as model,
    ):
        deltas = await collect(model, asking(watched=watched))
    assert text_of(deltas) == ""
    assert end_of(deltas).reason is Reason.FILTERED


@BOTH
async def test_a_question_that_the_filter_refuses_is_a_filtered_answer(watched: bool) -> None:
    refused = faults.answered("filtered", 400, {"error": {"code": "content_filter"}})
    async with ModelPeer() as peer, speaking_to(peer.base_url) as model:
        peer.faults.plan(refused)
        deltas = await collect(model, asking(watched=watched))
    assert deltas == [Finished(Reason.FILTERED, "main")]


@pytest.mark.parametrize("kind", ["empty_choices", "null_choices", "huge_line", "no_done"])
async def test_odd_chunks_are_stepped_over(kind: str) -> None:
    async with (
        ModelPeer(always(Answer(text="all is well", chunks=6))) as peer,
        speaking_to(peer.base_url) as model,
    ):
        peer.faults.plan(flawed(kind))
        deltas = await collect(model, asking())
    assert text_of(deltas) == "all is well"
    assert end_of(deltas).reason is Reason.STOP


@pytest.mark.parametrize("kind", ["cut", "cut_utf8", "malformed", "error", "no_finish", "nothing"])
async def test_a_stream_that_breaks_off_is_a_failure(kind: str) -> None:
    async with (
        ModelPeer(always(Answer(text=words(10), chunks=6))) as peer,
        speaking_to(peer.base_url) as model,
    ):
        peer.faults.plan(flawed(kind))
        with pytest.raises(Transient):
            await collect(model, asking())


@pytest.mark.parametrize("kind", ["empty_choices", "null_choices"])
async def test_a_whole_answer_without_choices_is_a_failure(kind: str) -> None:
    async with (
        ModelPeer(always(Answer(text="hi"))) as peer,
        speaking_to(peer.base_url) as model,
    ):
        peer.faults.plan(flawed(kind))
        with pytest.raises(Transient):
            await collect(model, asking(watched=False))


@BOTH
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (rate_limited(2), Busy),
        (rate_limited(None), Busy),
        (out_of_quota(), Permanent),
        (failure(500), Transient),
        (failure(503), Transient),
        (error_in_200(), Transient),
        (faults.page(502), Transient),
        (faults.page(200), Transient),
        (faults.garbage(), Transient),
        (faults.cut(), Transient),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
async def test_a_call_that_goes_wrong_raises_what_to_do(
    fault: faults.Fault, expected: type[Exception], watched: bool
) -> None:
    async with ModelPeer() as peer, speaking_to(peer.base_url) as model:
        peer.faults.plan(fault)
        with pytest.raises(expected) as caught:
            await collect(model, asking(watched=watched))
        assert type(caught.value) is expected
        if fault.headers:
            assert isinstance(caught.value, Transient)
            assert caught.value.retry_after == timedelta(seconds=2)
        # One call and no more: retries are ours, not the vendor's.
        assert len(peer.asked) == 1


@BOTH
async def test_a_wrong_key_is_permanent_and_told_to_nobody(watched: bool) -> None:
    async with (
        ModelPeer(key="sk-right") as peer,
        speaking_to(peer.base_url, api_key="sk-Canary99") as model,
    ):
        with pytest.raises(Permanent) as caught:
            await collect(model, asking(watched=watched))
    assert str(caught.value) == "main: HTTP 401 invalid_api_key"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@BOTH
async def test_a_prompt_that_is_too_long_says_so(watched: bool) -> None:
    async with ModelPeer(budget=50) as peer, speaking_to(peer.base_url) as model:
        with pytest.raises(ContextTooLong):
            await collect(model, asking(words(200), watched=watched))


@BOTH
async def test_nobody_there_is_transient(watched: bool) -> None:
    async with ModelPeer() as peer:
        address = peer.base_url
    async with speaking_to(address) as model:
        with pytest.raises(Transient):
            await collect(model, asking(watched=watched))


@BOTH
async def test_an_answer_ends_at_the_deadline(watched: bool) -> None:
    async with ModelPeer() as peer, speaking_to(peer.base_url) as model:
        peer.faults.plan(faults.hang())
        with pytest.raises(Transient):
            await collect(model, asking(watched=watched, within=0.05))


async def test_the_wait_for_the_first_token_is_bounded() -> None:
    budget = timedelta(milliseconds=50)
    async with ModelPeer() as peer, speaking_to(peer.base_url, first_token=budget) as model:
        peer.faults.plan(faults.hang())
        with pytest.raises(Transient, match="first token"):
            await collect(model, asking())
        await peer.wait_for(lambda: not peer.open)


async def test_a_stream_that_stalls_is_given_up_and_closed() -> None:
    budget = timedelta(milliseconds=50)
    async with (
        ModelPeer(always(Answer(text=words(9), chunks=6))) as peer,
        speaking_to(peer.base_url, gap=budget) as model,
    ):
        peer.faults.plan(flawed("stall", at=3))
        with pytest.raises(Transient, match="stopped growing"):
            await collect(model, asking())
        await peer.wait_for(lambda: not peer.open)


async def test_keep_alive_comments_are_no_sign_of_life() -> None:
    slow = Answer(text=words(9), chunks=6, pace=0.2)
    async with (
        ModelPeer(always(slow), dialect=Dialect(comments="each")) as peer,
        speaking_to(peer.base_url, gap=timedelta(milliseconds=50)) as model,
    ):
        with pytest.raises(Transient, match="stopped growing"):
            await collect(model, asking())


@BOTH
async def test_a_call_that_another_model_waits_behind_ends_before_the_deadline(
    watched: bool,
) -> None:
    async with ModelPeer() as peer, speaking_to(peer.base_url) as model:
        peer.faults.plan(faults.hang())
        begin_by = EPOCH + timedelta(milliseconds=50)
        with pytest.raises(Transient, match="in time"):
            await collect(model, replace(asking(watched=watched), begin_by=begin_by))


async def test_an_answer_that_has_begun_has_until_the_deadline() -> None:
    slow = Answer(text=words(9), chunks=6, pace=0.1)
    async with ModelPeer(always(slow)) as peer, speaking_to(peer.base_url) as model:
        begin_by = EPOCH + timedelta(milliseconds=300)
        deltas = await collect(model, replace(asking(), begin_by=begin_by))
    assert end_of(deltas).reason is Reason.STOP


async def test_closing_a_stream_closes_its_connection_at_once() -> None:
    held = Answer(text=words(40), chunks=40, waits={3: asyncio.Event()})
    async with ModelPeer(always(held)) as peer, speaking_to(peer.base_url) as model:
        delta = await first_of(model, asking())
        closed_at = peer.log.now()
        await peer.wait_for(lambda: not peer.open)
        assert isinstance(delta, TextDelta)
        (asked,) = peer.asked
        assert asked.closed_at is not None
        assert asked.chunks < 10
        assert asked.closed_at - closed_at < AT_ONCE


@BOTH
async def test_a_cancelled_turn_closes_its_connection_at_once(watched: bool) -> None:
    never = asyncio.Event()
    held = Answer(text=words(40), chunks=40, waits={0: never})
    async with ModelPeer(always(held)) as peer, speaking_to(peer.base_url) as model:
        turn = asyncio.create_task(collect(model, asking(watched=watched)))
        await peer.wait_for(lambda: peer.open)
        turn.cancel()
        cancelled_at = peer.log.now()
        await peer.wait_for(lambda: not peer.open)
        (asked,) = peer.asked
        assert asked.closed_at is not None
        assert asked.closed_at - cancelled_at < AT_ONCE
        with pytest.raises(asyncio.CancelledError):
            await turn


async def test_a_finished_stream_gives_its_connection_back() -> None:
    async with (
        ModelPeer(always(Answer(text=words(9)))) as peer,
        speaking_to(peer.base_url) as model,
    ):
        for _ in range(3):
            await collect(model, asking())
        pool = model._client._client._transport.client.connector  # type: ignore[attr-defined]  # the vendor's insides
        assert sum(len(idle) for idle in pool._conns.values()) == 1


async def test_a_hundred_streams_run_at_once() -> None:
    gate = asyncio.Event()
    async with (
        ModelPeer(always(Answer(text="hi", waits={0: gate}))) as peer,
        speaking_to(peer.base_url) as model,
    ):
        turns = [asyncio.create_task(collect(model, asking())) for _ in range(150)]
        await peer.wait_for(lambda: len(peer.open) == 150)
        gate.set()
        answers = await asyncio.gather(*turns)
    assert {text_of(deltas) for deltas in answers} == {"hi"}


async def test_after_closing_nothing_is_asked() -> None:
    async with ModelPeer() as peer:
        async with speaking_to(peer.base_url) as model:
            await collect(model, asking())
        with pytest.raises(Transient):
            await collect(model, asking())


@BOTH
async def test_azure_is_asked_at_its_deployment(watched: bool) -> None:
    async with ModelPeer(key="azure-key") as peer:
        options: dict[str, Any] = {
            "endpoint": peer.url,
            "api_version": "2024-10-21",
            "api_key": "azure-key",
            "model": "our-deployment",
        }
        async with speaking_to(None, **options) as model:
            deltas = await collect(model, asking("hello", watched=watched))
    (asked,) = peer.asked
    assert asked.path == "/openai/deployments/our-deployment/chat/completions"
    assert text_of(deltas).startswith("You said: hello")


async def test_reasoning_goes_back_within_the_turn_and_never_later() -> None:
    def call(id: str, thought: str) -> Message:
        parts = (Reasoning(thought), ToolCall(id, "get_time", '{"city":"Rome"}'))
        return Message(Role.ASSISTANT, parts, sent_at=EPOCH)

    def result(id: str) -> Message:
        return Message(Role.TOOL, (ToolResult(id, "get_time", "noon"),), sent_at=EPOCH)

    messages = [
        said("Rome?"),
        call("c1", "old thought"),
        result("c1"),
        said("It is noon.", Role.ASSISTANT),
        said("and again?"),
        call("c2", "new thought"),
        result("c2"),
    ]
    dialect = Dialect(reasoning_back="demanded")
    async with (
        ModelPeer(always(Answer(text="Noon.")), dialect=dialect) as peer,
        speaking_to(peer.base_url, preset="deepseek") as model,
    ):
        deltas = await collect(model, asking(*messages, tools=[TOOL]))
        sent = str(peer.asked[0].messages)
    assert text_of(deltas) == "Noon."
    assert "new thought" in sent
    assert "old thought" not in sent


async def test_a_history_that_lost_results_is_still_taken() -> None:
    calls = (ToolCall("c1", "get_time", "{broken"), ToolCall("c2", "get_time", "{}"))
    messages = [
        said("Rome?"),
        Message(Role.ASSISTANT, calls, sent_at=EPOCH),
        Message(Role.TOOL, (ToolResult("c2", "get_time", "noon"),), sent_at=EPOCH),
        Message(Role.TOOL, (ToolResult("stray", "get_time", "?"),), sent_at=EPOCH),
        said("hello?"),
        Message(Role.ASSISTANT, (ToolCall("c1", "get_time", "{}"),), sent_at=EPOCH),
        Message(Role.TOOL, (ToolResult("c1", "get_time", "one"),), sent_at=EPOCH),
    ]
    async with ModelPeer() as peer, speaking_to(peer.base_url) as model:
        await collect(model, asking(*messages, tools=[TOOL]))
        (asked,) = peer.asked
    assert asked.refused is None
    results = [message["content"] for message in asked.messages if message["role"] == "tool"]
    assert results == ["(no result: the call was given up)", "noon", "one"]


async def test_a_probe_tells_a_refused_key_from_a_dead_server() -> None:
    async with ModelPeer(key="sk-right") as peer:
        async with speaking_to(peer.base_url, api_key="sk-right") as model:
            assert (await model.probe()).ok
        async with speaking_to(peer.base_url, api_key="sk-wrong") as model:
            refused = await model.probe()
    async with speaking_to(peer.base_url) as model:
        dead = await model.probe()
    assert not refused.ok
    assert "api_key" in refused.detail
    assert not dead.ok
    assert "base_url" in dead.detail


async def test_a_probe_names_the_setting_that_can_never_work() -> None:
    pasted = "sk-\u201cpasted\u201d"
    async with ModelPeer() as peer, speaking_to(peer.base_url, api_key=pasted) as model:
        key = await model.probe()
    async with speaking_to("http://a..b/v1") as model:
        place = await model.probe()
    assert (key.ok, place.ok) == (False, False)
    assert "api_key" in key.detail
    assert "base_url" in place.detail


async def test_a_stream_nobody_asked_for_is_read_all_the_same() -> None:
    body = (
        b'data: {"choices":[{"delta":{"content":"he"}}]}\n\n'
        b'data: {"choices":[{"delta":{"content":"llo"},"finish_reason":"stop"}]}\n\n'
        b"data: [DONE]\n\n"
    )
    unasked = faults.Fault("unasked", faults.Sees.ANSWER, status=200, body=body)
    async with ModelPeer() as peer, speaking_to(peer.base_url) as model:
        peer.faults.plan(unasked)
        deltas = await collect(model, asking(watched=False))
    assert text_of(deltas) == "hello"


async def test_a_whole_answer_where_a_stream_was_asked_for_is_read_all_the_same() -> None:
    message = {"content": "hello", "tool_calls": [{"id": "c", "function": {"name": "now"}}]}
    whole = {"choices": [{"message": message, "finish_reason": "stop"}]}
    async with ModelPeer() as peer, speaking_to(peer.base_url) as model:
        peer.faults.plan(faults.answered("whole", 200, whole))
        deltas = await collect(model, asking())
    assert text_of(deltas) == "hello"
    assert calls_of(deltas) == [ToolCallDelta("c", "now", "{}")]
    assert end_of(deltas).reason is Reason.TOOLS
