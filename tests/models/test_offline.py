"""The offline model: what it says, in whose language, at what pace, and what it never does."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from bot.domain.address import Sender
from bot.domain.message import Message, Role, Text, ToolCall, ToolResult
from bot.domain.model import Delta, Finished, Reason, Request, TextDelta, ToolSpec
from bot.models.offline import OfflineModel
from tests.fakes import EPOCH, FakeClock
from tests.models.asking import asking, calls_of, collect, end_of, said, text_of

PARCEL = ToolSpec(
    "parcel",
    "Track a parcel.",
    {"type": "object", "properties": {"code": {"type": "string"}}, "required": ["code"]},
    examples=(
        "track parcel RX-8812",
        "where is my parcel TT904?",
        "查询包裹 RX-8812",
        "我的包裹 TT904 到哪了",
    ),
)
CAPITAL = ToolSpec(
    "capital",
    "Name the capital of a country.",
    {"type": "object", "properties": {"country": {"type": "string"}}, "required": ["country"]},
    examples=(
        "what is the capital of France?",
        "capital of Japan",
        "法国的首都是哪里",
        "日本首都是什么",
    ),
)
TOOLS = (PARCEL, CAPITAL)


def quiet(
    *messages: Message | str, tools: Sequence[ToolSpec] = TOOLS, locale: str = "en"
) -> Request:
    return asking(*messages, tools=tools, watched=False, locale=locale)


async def answer(request: Request, *, standing_in: bool = False) -> list[Delta]:
    return await collect(OfflineModel(FakeClock(), standing_in=standing_in), request)


def reported(question: str, *results: ToolResult) -> Request:
    calls = tuple(ToolCall(result.call, result.name, "{}") for result in results)
    asked = Message(Role.ASSISTANT, calls, sent_at=EPOCH)
    told = [Message(Role.TOOL, (result,), sent_at=EPOCH) for result in results]
    return quiet(said(question), asked, *told)


def arguments(deltas: Sequence[Delta]) -> dict[str, object]:
    (call,) = calls_of(deltas)
    loaded: dict[str, object] = json.loads(call.arguments)
    return loaded


async def test_it_calls_the_tool_that_is_meant_with_the_arguments_that_were_said() -> None:
    deltas = await answer(quiet("could you track parcel ZK-300 for me?"))
    (call,) = calls_of(deltas)
    assert call.name == "parcel"
    assert arguments(deltas) == {"code": "ZK-300"}
    assert end_of(deltas) == Finished(Reason.TOOLS, "offline")


async def test_the_same_question_always_gets_the_same_answer() -> None:
    answers = [await answer(quiet("capital of Peru?")) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("The parcel is in Rome.", "The parcel is in Rome."), ("42", "The result is 42")],
)
async def test_a_result_is_told_in_words(text: str, expected: str) -> None:
    deltas = await answer(reported("capital of Peru?", ToolResult("c", "capital", text)))
    assert text_of(deltas) == expected
    assert end_of(deltas).reason is Reason.STOP


async def test_a_result_is_told_in_the_language_of_the_question() -> None:
    deltas = await answer(reported("秘鲁的首都是哪里", ToolResult("c", "capital", "Lima")))
    assert text_of(deltas) == "结果是 Lima"


async def test_a_result_of_fields_becomes_lines_and_no_json() -> None:
    result = ToolResult("c", "parcel", '{"state":"on its way","stops":["Rome","Bern"],"eta":null}')
    deltas = await answer(reported("where is parcel A1", result))
    assert text_of(deltas) == "- state: on its way\n- stops: Rome, Bern\n- eta: –"


async def test_several_results_are_all_told() -> None:
    results = (ToolResult("a", "parcel", "In Rome."), ToolResult("b", "capital", "It is Lima."))
    assert text_of(await answer(reported("both?", *results))) == "In Rome.\nIt is Lima."


@pytest.mark.parametrize(("question", "sorry"), [("where is A1?", "sorry"), ("A1 到哪了", "抱歉")])
async def test_a_tool_that_failed_is_told_kindly(question: str, sorry: str) -> None:
    result = ToolResult("c", "parcel", "There is no such parcel.", failed=True)
    text = text_of(await answer(reported(question, result)))
    assert sorry in text
    assert "There is no such parcel." in text


async def test_what_a_failed_tool_says_at_length_is_not_for_people() -> None:
    trace = "Traceback (most recent call last): KeyError"
    result = ToolResult("c", "parcel", trace, failed=True)
    assert "KeyError" not in text_of(await answer(reported("where is A1?", result)))


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("what do you think of the election?", "No language model is configured"),
        ("你觉得这次选举怎么样?", "没有配置语言模型"),
        ("hello", "Hello!"),
        ("你好", "您好！"),
    ],
)
async def test_without_a_match_it_says_what_it_is_and_what_can_be_asked(
    question: str, words: str
) -> None:
    deltas = await answer(quiet(question))
    text = text_of(deltas)
    assert words in text
    chinese = question[0] > "z"
    assert (PARCEL.examples[2] in text) is chinese
    assert (PARCEL.examples[0] in text) is not chinese
    assert not calls_of(deltas)


async def test_a_message_without_letters_is_answered_in_the_persons_locale() -> None:
    assert "语言模型" in text_of(await answer(quiet("???", locale="zh-CN")))
    assert "language model" in text_of(await answer(quiet("???", locale="en")))


async def test_without_tools_it_says_that_nothing_can_be_done() -> None:
    text = text_of(await answer(quiet("track parcel A1", tools=())))
    assert "No language model" in text
    assert "nothing that I could do" in text


async def test_what_is_missing_is_asked_for_with_examples() -> None:
    deltas = await answer(quiet("what is the capital?"))
    assert not calls_of(deltas)
    assert CAPITAL.examples[0] in text_of(deltas)


async def test_two_questions_at_once_become_two_calls() -> None:
    deltas = await answer(quiet("Where is parcel ZK-300? What is the capital of Peru?"))
    assert [call.name for call in calls_of(deltas)] == ["parcel", "capital"]
    assert len({call.id for call in calls_of(deltas)}) == 2


async def test_a_short_follow_up_uses_the_same_tool_again() -> None:
    call = ToolCall("c", "capital", '{"country":"Peru"}')
    history = [
        said("capital of Peru"),
        Message(Role.ASSISTANT, (call,), sent_at=EPOCH),
        Message(Role.TOOL, (ToolResult("c", "capital", "Lima"),), sent_at=EPOCH),
        said("The result is Lima", Role.ASSISTANT),
    ]
    deltas = await answer(quiet(*history, "and of Norway?"))
    assert arguments(deltas) == {"country": "Norway"}


@pytest.mark.parametrize("spoken", ["hello", "Thanks!", "谢谢。", "你好!", "/status", "ok"])
async def test_what_is_said_out_of_politeness_is_no_follow_up(spoken: str) -> None:
    call = ToolCall("c", "capital", '{"country":"Peru"}')
    history = [
        said("capital of Peru"),
        Message(Role.ASSISTANT, (call,), sent_at=EPOCH),
        Message(Role.TOOL, (ToolResult("c", "capital", "Lima"),), sent_at=EPOCH),
        said("The result is Lima", Role.ASSISTANT),
    ]
    assert not calls_of(await answer(quiet(*history, spoken)))


async def test_that_something_did_not_work_is_said_in_the_language_of_the_reason() -> None:
    failed = ToolResult("c", "capital", "我不知道在哪里", failed=True)
    assert text_of(await answer(reported("capital?", failed))) == "抱歉，没有成功。我不知道在哪里"


async def test_the_name_that_marks_a_speaker_in_a_group_is_no_argument() -> None:
    asked = Message(
        Role.USER,
        (Text("Anna: capital of Norway"),),
        sent_at=EPOCH,
        sender=Sender("u1", name="Anna"),
    )
    assert arguments(await answer(quiet(asked))) == {"country": "Norway"}


async def test_as_a_rung_it_says_that_it_is_standing_in() -> None:
    text = text_of(await answer(quiet("tell me about love"), standing_in=True))
    assert text.startswith("The usual language model cannot be reached")
    assert "No language model is configured" not in text
    told = reported("capital of Peru?", ToolResult("c", "capital", "Lima"))
    assert "standing in" in text_of(await answer(told, standing_in=True))


async def test_while_somebody_watches_the_words_come_a_few_at_a_time() -> None:
    clock = FakeClock()
    request = asking("tell me about love", tools=TOOLS, watched=True)
    task = asyncio.create_task(collect(OfflineModel(clock), request))
    async with asyncio.timeout(5):
        while not task.done():
            clock.advance(0.02)
            await asyncio.sleep(0)
    pieces = [delta.text for delta in task.result() if isinstance(delta, TextDelta)]
    assert len(pieces) > 5
    assert max(map(len, pieces)) < 40
    whole = text_of(await answer(quiet("tell me about love")))
    assert "".join(pieces) == whole


async def test_unwatched_it_answers_at_once_without_waiting() -> None:
    deltas = await answer(quiet("tell me about love"))
    assert len([delta for delta in deltas if isinstance(delta, TextDelta)]) == 1


@pytest.mark.parametrize("kind", ["integer", "number"])
async def test_a_number_beyond_all_numbers_is_asked_for_again(kind: str) -> None:
    parameters = {"type": "object", "properties": {"n": {"type": kind}}, "required": ["n"]}
    dice = ToolSpec("dice", "Roll dice.", parameters, examples=("roll 6 dice", "roll 20 dice"))
    assert arguments(await answer(quiet("roll 7 dice", tools=(dice,)))) == {"n": 7}
    deltas = await answer(quiet(f"roll {'9' * 310} dice", tools=(dice,)))
    assert not calls_of(deltas)
    assert dice.examples[0] in text_of(deltas)


async def test_a_very_long_message_is_looked_at_only_where_it_begins() -> None:
    deltas = await answer(quiet("capital of Norway? " + "so? " * 200_000))
    assert arguments(deltas) == {"country": "Norway"}


@pytest.mark.parametrize(
    "text", ["", " ", "\n", "🙂", "%s {0} \\", "?" * 500, "的" * 500, "1" * 500, "' OR 1=1 --"]
)
async def test_whatever_is_said_gets_an_answer(text: str) -> None:
    assert isinstance((await answer(quiet(text)))[-1], Finished)


def test_it_names_no_tool_no_place_and_no_example() -> None:
    room = Path(__file__).parents[2] / "bot" / "models"
    source = "".join(path.read_text(encoding="utf-8") for path in room.glob("offline*.py"))
    for word in ("weather", "calculat", "timezone", "Tokyo", "东京", "天气", "umbrella"):
        assert word not in source
