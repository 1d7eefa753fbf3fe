"""What was said is there again after a reload, page by page, and no message is ever torn."""

from datetime import timedelta
from functools import partial

import pytest

from adapters.web import render
from bot import (
    Activity,
    ActivityState,
    Address,
    Citation,
    Entry,
    File,
    Image,
    Message,
    Outbound,
    Role,
    Text,
    ToolCall,
    ToolResult,
    TurnId,
    sentence,
)
from tests.adapters.web import site
from tests.adapters.web.client import visiting
from tests.adapters.web.engine import Answer
from tests.fakes import EPOCH, FakeClock, until

SECOND = timedelta(seconds=1)
LOOKED_UP = Answer(("It is late.",), (("now", '{"place": "Tokyo"}', "23:10"),))


async def test_an_answer_is_one_message_with_the_tools_that_it_took() -> None:
    async with site.running() as chat, visiting(chat) as client:
        chat.engine.remember(chat.address(client.visitor), "how late?", LOOKED_UP)
        said, answer = (await client.history())["messages"]
        assert (said["role"], said["text"], said["state"]) == ("user", "how late?", "done")
        assert (answer["role"], answer["text"]) == ("assistant", "It is late.")
        assert answer["activities"] == [
            {"tool": "now", "arguments": '{"place": "Tokyo"}', "state": "done", "result": "23:10"}
        ]


@pytest.mark.parametrize(
    ("settings", "seen"),
    [({}, True), ({"public": True}, False), ({"public": True, "tool_details": True}, True)],
)
async def test_strangers_see_that_a_tool_was_used_but_not_what_it_said(
    settings: dict[str, bool], seen: bool
) -> None:
    async with site.running(settings=settings) as chat, visiting(chat) as client:
        chat.engine.remember(chat.address(client.visitor), "how late?", LOOKED_UP)
        activity = (await client.history())["messages"][1]["activities"][0]
        assert activity["tool"] == "now"
        assert ("23:10" in activity["result"]) is seen
        assert ("Tokyo" in activity["arguments"]) is seen


async def test_what_waits_comes_last_and_says_so() -> None:
    async with site.running() as chat, visiting(chat) as client:
        chat.engine.remember(chat.address(client.visitor), "before", LOOKED_UP)
        chat.engine.silent = True
        await client.post("w1", "still waiting")
        last = (await client.history())["messages"][-1]
        assert (last["id"], last["seq"], last["state"]) == ("w1", 0, "stored")


async def test_what_a_command_was_answered_is_there_after_a_reload_for_a_minute() -> None:
    clock = FakeClock()
    async with site.running(clock=clock) as chat, visiting(chat) as client:

        async def said() -> list[str]:
            return [line["text"] for line in (await client.history())["messages"]]

        def is_said(text: str) -> bool:
            return text in str(chat.adapter._hub.said(client.visitor))

        for text in ("2+2", "/usage", "3+3"):
            await client.post(f"m{chat.engine.last_turn}", text)
            await until(partial(is_said, text))
            clock.advance(10)
        assert await said() == ["2+2", "2+2", "/usage", "3+3", "3+3"]
        lines = (await client.history())["messages"]
        assert [line["seq"] for line in lines] == [1, 2, 0, 3, 4]
        assert (await client.history("?before=9"))["messages"][-1]["text"] == "3+3"
        clock.advance(41)
        assert await said() == ["2+2", "2+2", "3+3", "3+3"]


@pytest.mark.parametrize(("limit", "texts"), [(1, ["new"]), (2, ["old", "told", "new"])])
def test_what_is_in_no_history_stands_before_no_page_that_has_another_before_it(
    limit: int, texts: list[str]
) -> None:
    address = Address("web", "web", "v")
    entries = [
        Entry(Message(Role.USER, (Text("old"),), EPOCH, id=8), address, "a"),
        Entry(Message(Role.USER, (Text("new"),), EPOCH + 2 * SECOND, id=9), address, "b"),
    ]
    line = render.line_of(Outbound("7/0", address, "told"), EPOCH + SECOND)
    events = [render.message_event(line), b"event: ended\ndata: {}\n\n", b"event: message\n\n"]
    lines = render.lines_of(entries, 2, limit, details=True)
    seen = render.with_said(lines, entries, events, EPOCH).messages
    assert [each.text for each in seen] == texts


async def test_after_forget_no_reload_brings_back_what_was_said() -> None:
    async with site.running() as chat, visiting(chat) as client:
        address = chat.address(client.visitor)
        await chat.engine.push(address, "my secret")
        assert "my secret" in str(await client.history())
        chat.engine.silent = True
        await client.post("f", "/forget")
        assert "my secret" not in str(await client.history())
        await chat.engine.push(address, "said meanwhile")
        await chat.engine.push(address, sentence("forgotten", "zh"))
        page = str(await client.history())
        assert sentence("forgotten", "zh") in page
        assert "said meanwhile" not in page


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 7, 50])
async def test_pages_put_together_are_the_whole_history(limit: int) -> None:
    async with site.running() as chat, visiting(chat) as client:
        for n in range(9):
            calls = LOOKED_UP.calls * (n % 3)
            answer = Answer((f"answer {n}",), calls)
            chat.engine.remember(chat.address(client.visitor), f"question {n}", answer)
        whole = [(m["text"], len(m["activities"])) for m in (await client.history())["messages"]]
        assert len(whole) == 18
        seen: list[tuple[str, int]] = []
        query = f"?limit={limit}"
        while True:
            page = await client.history(query)
            seen = [(m["text"], len(m["activities"])) for m in page["messages"]] + seen
            if not page["more"]:
                break
            query = f"?limit={limit}&before={page['messages'][0]['seq']}"
        assert seen == whole


@pytest.mark.parametrize("query", ["?before=x", "?limit=-1", "?limit=²", "?before=" + "9" * 5000])
async def test_a_page_that_makes_no_sense_is_refused(query: str) -> None:
    async with site.running() as chat, visiting(chat) as client:
        assert (await client.get("/messages" + query)).status == 400


def test_a_tool_that_failed_or_never_came_back_is_shown_as_failed() -> None:
    address = Address("web", "web", "v")
    call, lost = ToolCall("1", "now", "{}"), ToolCall("2", "weather", "{}")
    failed = ToolResult("1", "now", "no such place", failed=True)
    entries = [
        Entry(Message(Role.USER, (Text("?"),), EPOCH, id=1), address, "a"),
        Entry(Message(Role.ASSISTANT, (call, lost), EPOCH, id=2), address, turn=TurnId(5)),
        Entry(Message(Role.TOOL, (failed,), EPOCH, id=3), address, turn=TurnId(5)),
        Entry(Message(Role.ASSISTANT, (Text("sorry"),), EPOCH, id=4), address, turn=TurnId(5)),
    ]
    answer = render.lines_of(entries, 50, 50, details=True).messages[1]
    assert [each.state for each in answer.activities] == ["failed", "failed"]
    assert (answer.seq, answer.turn, answer.text) == (2, "5", "sorry")


def test_an_answer_names_its_sources_and_what_was_attached() -> None:
    address = Address("web", "web", "v")
    cited = (Citation("The [old] rules", "https://example.org/rules"), Citation("A book"))
    attached = (File("ref", name="rules.pdf"), Image("ref"))
    piece = Outbound("7/0", address, "See there.", attachments=attached, citations=cited)
    assert render.line_of(piece, EPOCH).text == (
        "See there.\n\n*rules.pdf*\n\n[The old rules](https://example.org/rules) · A book"
    )


def test_a_long_result_is_cut_for_the_page() -> None:
    done = Activity("now", "{}", ActivityState.DONE, "x" * 10_000)
    assert len(render.shown([done], details=True)[0].result) == render.RESULT_LENGTH
