"""Messages over a real server: answered in their own call, by a message, or with the next one."""

import asyncio

import pytest

from bot import Kind
from tests.adapters.wechat.line import Line, line
from tests.peers.wechat import ANN, BEN

# Real seconds of open calls: not for every commit.
pytestmark = pytest.mark.slow


SLOW = 7.0
"""Seconds: in the middle of the second call, which is open from 5 to 9."""
SLOWER = 25.0
"""Seconds: long after the third call has closed, at 14."""


async def sent(made: Line, count: int, openid: str = ANN) -> list[str]:
    """What the person has read, once it is so much."""
    await made.peer.wait_for(lambda: len(made.peer.texts(openid)) >= count)
    return made.peer.texts(openid)


async def test_an_answer_in_time_is_the_reply_to_the_call() -> None:
    async with line() as made:
        made.desk.will_say("**你好**,Ann", after=1)
        done = await made.peer.say(ANN, "你好")
        assert (done.said, done.statuses) == ("你好,Ann", [200])
        assert made.desk.texts == ["你好"]
        assert made.peer.calls("message/custom/send") == []
        assert made.desk.deliveries[0][1] is not None


async def test_what_takes_longer_is_sent_as_a_message_and_the_call_is_acknowledged() -> None:
    async with line() as made:
        made.desk.will_say("after some thought", after=SLOW)
        done = await made.peer.say(ANN, "hm?")
        assert (done.said, done.statuses, done.failed) == (None, [200], False)
        assert done.attempts[0].body == b"success"
        assert await sent(made, 1) == ["after some thought"]
        assert [shown.by for shown in made.peer.screen(ANN)] == ["message"]
        assert made.peer.person(ANN).typings == 1


async def test_without_permission_the_second_and_third_call_are_waited_for() -> None:
    async with line(may_send=False) as made:
        made.desk.will_say("just in time", after=SLOW)
        done = await made.peer.say(ANN, "hm?")
        assert (done.statuses, done.said) == ([0, 200], "just in time")
        assert len(made.desk.deliveries) == 2
        assert made.desk.texts == ["hm?"]
        assert made.peer.out_of_order(ANN) == 0


async def test_where_the_platform_signs_all_three_calls_alike_they_are_one_message_too() -> None:
    async with line(may_send=False) as made:
        made.peer.courier.fresh = False
        made.desk.will_say("the third time", after=12)
        done = await made.peer.say(ANN, "hm?")
        assert (done.statuses, done.said) == ([0, 0, 200], "the third time")
        assert made.desk.texts == ["hm?"]


async def test_the_third_call_says_that_work_goes_on_and_the_next_message_gets_both() -> None:
    async with line(may_send=False) as made:
        made.desk.will_say("the long answer", after=SLOWER)
        done = await made.peer.say(ANN, "a hard one")
        assert done.statuses == [0, 0, 200]
        assert done.said is not None
        assert done.said.splitlines() == [
            "还在处理您的消息，请稍等片刻。",
            "稍后发送任意内容，即可收到回答。",
        ]
        await made.desk.at_rest()
        assert [row.state for row in made.chat().rows] == ["held"]
        made.desk.will_say("the short answer", after=1)
        done = await made.peer.say(ANN, "and?")
        assert done.said == "the long answer\n\nthe short answer"
        assert [row.state for row in made.chat().rows] == ["sent", "sent"]
        assert made.peer.out_of_order(ANN) == 0


async def test_what_was_held_waits_for_the_new_answer_as_long_as_calls_can_be_let_go() -> None:
    async with line(may_send=False) as made:
        made.desk.will_say("the first", after=SLOWER)
        await made.peer.say(ANN, "one")
        await made.desk.at_rest()
        made.desk.will_say("the second", after=SLOW)
        done = await made.peer.say(ANN, "two")
        assert (done.statuses, done.said) == ([0, 200], "the first\n\nthe second")
        assert made.desk.lost == []


async def test_at_the_third_call_what_was_held_goes_alone() -> None:
    async with line(may_send=False) as made:
        made.desk.will_say("the first", after=SLOWER)
        await made.peer.say(ANN, "one")
        await made.desk.at_rest()
        made.desk.will_say("the second", after=SLOWER)
        done = await made.peer.say(ANN, "two")
        await made.desk.at_rest()
        assert (done.statuses, done.said) == ([0, 0, 200], "the first")
        assert [row.state for row in made.chat().rows] == ["sent", "held"]
        assert (await made.peer.say(ANN, "3")).said == "the second\n\nre: 3"


async def test_what_does_not_fit_beside_the_first_goes_back_and_comes_next() -> None:
    async with line(may_send=False, max_pieces=1) as made:
        made.desk.will_say("甲" * 400, after=SLOWER)
        await made.peer.say(ANN, "one")
        await made.desk.at_rest()
        made.desk.will_say("乙" * 400)
        assert (await made.peer.say(ANN, "two")).said == "甲" * 400
        assert (await made.peer.say(ANN, "three")).said == "乙" * 400 + "\n\nre: three"


async def test_a_long_answer_is_one_reply_and_messages_in_order() -> None:
    async with line() as made:
        text = "".join(f"第{number}句话,说得清清楚楚。" for number in range(140))
        made.desk.will_say(text, after=1)
        await made.peer.say(ANN, "tell me everything")
        texts = await sent(made, 3)
        assert "".join(texts) == text
        assert [shown.by for shown in made.peer.screen(ANN)] == ["reply", "message", "message"]


async def test_people_do_not_wait_for_each_other() -> None:
    async with line() as made:
        made.desk.will_say("slow", after=2)
        slow = asyncio.ensure_future(made.peer.say(ANN, "one"))
        await made.desk.has(1)
        assert (await made.peer.say(BEN, "two")).said == "re: two"
        assert (await slow).said == "slow"


async def test_two_messages_in_a_row_are_both_answered() -> None:
    async with line() as made:
        made.desk.will_say("the first", after=3)
        made.desk.will_say("the second", after=4)
        await asyncio.gather(made.peer.say(ANN, "one"), made.peer.say(ANN, "two"))
        await made.desk.at_rest()
        await made.peer.wait_for(lambda: "the second" in "".join(made.peer.texts(ANN)))
        said = "\n".join(made.peer.texts(ANN))
        assert (said.count("the first"), said.count("the second")) == (1, 1)
        assert said.index("the first") < said.index("the second")


async def test_five_identical_deliveries_are_one_message_and_one_answer() -> None:
    async with line() as made:
        event = made.peer.text(ANN, "once")
        made.peer.people.did(ANN, "message")
        attempts = await made.peer.courier.twins(event, 5)
        assert [attempt.status for attempt in attempts] == [200] * 5
        assert made.desk.texts == ["once"]
        said = [attempt for attempt in attempts if attempt.body != b"success"]
        assert [made.peer.courier.read(event, attempt).text for attempt in said] == ["re: once"]


async def test_while_it_cannot_be_stored_it_is_tried_as_long_as_the_call_is_open() -> None:
    async with line() as made:
        made.desk.shut = 3
        assert (await made.peer.say(ANN, "hello")).said == "re: hello"
        made.desk.shut = 10_000
        attempt = await made.post(made.peer.courier.signed(made.peer.text(ANN, "lost?").xml))
        assert attempt.status == 503
        made.desk.shut = 0
        assert made.desk.texts == ["hello"]


async def test_a_call_that_was_cut_uses_up_no_piece() -> None:
    async with line() as made:
        made.desk.will_say("for somebody who listens", after=3)
        made.peer.courier.patience = 0.3
        event = made.peer.text(ANN, "hello?")
        made.peer.people.did(ANN, "message")
        assert (await made.post(made.peer.courier.signed(event.xml))).status == 0
        assert await sent(made, 1) == ["for somebody who listens"]
        assert made.desk.lost == []


async def test_a_new_follower_is_greeted_and_remembered_where_they_come_from() -> None:
    async with line() as made:
        assert (await made.peer.touch(ANN, "subscribe", "qrscene_shop7")).said == (
            "您好！有什么可以帮您？"
        )
        (inbound,) = made.desk.inbounds
        assert (inbound.kind, inbound.text) == (Kind.JOINED, "shop7")
        assert made.desk.deliveries[0][1] is None, "nothing of the engine's goes into this call"


async def test_the_greeting_and_the_language_can_be_chosen() -> None:
    async with line(greeting="Welcome, **friend**") as made:
        assert (await made.peer.touch(ANN, "subscribe")).said == "Welcome, **friend**"
    async with line(greeting="") as made:
        assert (await made.peer.touch(ANN, "subscribe")).said is None
    async with line(language="en", may_send=False) as made:
        assert (await made.peer.touch(ANN, "subscribe")).said == "Hello! What can I do for you?"
        made.desk.will_say("late", after=SLOWER)
        said = (await made.peer.say(ANN, "hm?")).said
        assert said is not None
        assert said.startswith("I am still working on this.\n")


async def test_a_menu_button_is_answered_and_other_events_are_acknowledged_and_counted() -> None:
    async with line() as made:
        assert (await made.peer.touch(ANN, "CLICK", "PRICES")).said == "re: PRICES"
        assert made.desk.inbounds[0].kind is Kind.BUTTON
        for event in ("VIEW", "unsubscribe", "PUBLISHJOBFINISH"):
            done = await made.peer.touch(ANN, event, "x")
            assert (done.said, done.attempts[0].body) == (None, b"success")
        whys = ["event view", "unsubscribed", "unknown event"]
        assert made.facts("discarded", "why") == whys


async def test_a_voice_is_its_words_and_control_characters_are_nothing() -> None:
    async with line() as made:
        voice = {"MediaId": "m1", "Format": "amr", "Recognition": "天气怎么样?"}
        assert (await made.peer.push(made.peer.event(ANN, "voice", voice))).said == (
            "re: 天气怎么样?"
        )
        assert (await made.peer.say(ANN, "a\x1db\x0bc")).said == "re: abc"


async def test_a_models_words_cannot_become_xml_of_ours() -> None:
    async with line() as made:
        evil = "x]]></Content><MsgType><![CDATA[image]]></MsgType><Content><![CDATA[y \x00 ]]>"
        made.desk.will_say(evil)
        done = await made.peer.say(ANN, "hello")
        assert done.said == evil.replace("\x00", "")


async def test_in_plaintext_mode_it_works_only_where_it_is_allowed() -> None:
    async with line(mode="plaintext") as made:
        done = await made.peer.say(ANN, "hello")
        assert (done.statuses, made.desk.deliveries) == ([403], [])
        assert made.facts("rejected", "why") == ["plaintext"]
    async with line(mode="plaintext", allow_plaintext=True, aes_key=None) as made:
        assert (await made.peer.say(ANN, "hello")).said == "re: hello"
    async with line(mode="both") as made:
        assert (await made.peer.say(ANN, "hello")).said == "re: hello"
