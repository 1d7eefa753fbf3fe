"""Long polling over the real wire: nothing lost, nothing twice, nothing stuck."""

import asyncio
import gc
from itertools import pairwise
from typing import Any

import pytest

from adapters.telegram.normalise import Read
from adapters.telegram.updates import ALLOWED
from bot import Choice, Kind
from tests.adapters.telegram.line import Line, line, listen, polling
from tests.fakes import until
from tests.peers.faults import Fault, answered, cut, garbage, page
from tests.peers.telegram_faults import failure, flood
from tests.peers.telegram_updates import ANN, BO, GROUP, OLD_GROUP, private


def confirmed(made: Line) -> set[int]:
    """Every update that the service was told to forget."""
    return {
        number
        for entry in made.peer.log.of("acknowledged")
        for number in entry.fields["update_ids"]
    }


async def test_what_people_write_arrives_and_is_confirmed_after_it_is_stored() -> None:
    async with polling() as made:
        update = made.peer.updates.text("hello")
        made.peer.push(update)
        await made.desk.has(1)
        await made.peer.wait_for(lambda: confirmed(made) == {update["update_id"]})
        assert made.desk.texts == ["hello"]
        assert made.rows.advanced == [update["update_id"] + 1]


async def test_it_asks_for_the_kinds_that_it_knows_and_drops_nothing() -> None:
    async with polling() as made:
        await made.peer.wait_for(lambda: made.peer.calls("getUpdates"))
        assert made.peer.calls("getUpdates")[0].body["allowed_updates"] == list(ALLOWED)
        assert made.peer.calls("deleteWebhook")[0].body["drop_pending_updates"] is False


async def test_it_goes_on_from_the_stored_offset() -> None:
    async with line() as made:
        first, second = made.peer.updates.text("old"), made.peer.updates.text("new")
        made.rows.offset = second["update_id"]
        made.peer.push(first, second)
        listen(made)
        await made.desk.has(1)
        assert made.desk.texts == ["new"]


def numbered(update: dict[str, Any], number: int) -> dict[str, Any]:
    """The same update under an id of our choice."""
    return {**update, "update_id": number}


def offsets(made: Line) -> list[int | None]:
    """Where each poll asked from."""
    return [call.body.get("offset") for call in made.peer.calls("getUpdates")]


async def test_ids_that_begin_anew_below_the_offset_are_taken_once_and_confirmed() -> None:
    async with line() as made:
        made.rows.offset = 727_334_708
        made.peer.push(numbered(made.peer.updates.text("after a week"), 117_314_199))
        listen(made)
        await made.desk.has(1)
        await made.peer.wait_for(lambda: not made.peer.waiting.updates)
        assert made.desk.texts == ["after a week"]
        assert offsets(made)[:2] == [727_334_708, 117_314_200]
        made.peer.push(numbered(made.peer.updates.text("and on"), 117_314_200))
        await made.desk.has(2)
        await made.peer.wait_for(lambda: confirmed(made) == {117_314_199, 117_314_200})
        assert made.rows.advanced == [117_314_200, 117_314_201]


async def test_more_than_a_batch_below_the_offset_is_taken_to_its_end() -> None:
    async with line() as made:
        made.rows.offset = 727_334_708
        for n in range(120):
            made.peer.push(numbered(made.peer.updates.text(f"m{n}"), 117_314_000 + n))
        listen(made)
        await made.desk.has(120)
        await made.peer.wait_for(lambda: not made.peer.waiting.updates)
        assert made.desk.attempts == 120


async def test_what_was_handled_already_is_not_asked_for_without_a_pause() -> None:
    async with line() as made:
        update = made.peer.updates.text("once")
        stubborn = answered("stubborn", 200, {"ok": True, "result": [update]})
        made.peer.faults.plan(stubborn, method="getUpdates", times=10**6)
        listen(made)
        await made.peer.wait_for(lambda: len(made.peer.calls("getUpdates")) >= 5)
        times = [call.at for call in made.peer.calls("getUpdates")[1:5]]
        pauses = [after - before for before, after in pairwise(times)]
        assert all(pause > 500_000 for pause in pauses)
        assert made.desk.texts == ["once"]


async def test_a_mention_in_a_group_arrives_and_chatter_does_not() -> None:
    async with polling() as made:
        made.peer.push(
            made.peer.updates.text("lunch?", chat=GROUP),
            made.peer.updates.mention("how late is it?"),
            made.peer.updates.own_command("/new"),
        )
        await made.desk.has(2)
        assert made.desk.texts == ["👋 how late is it?", "/new"]
        assert made.facts("discarded", "why") == ["unaddressed"]


async def test_malformed_and_unknown_updates_are_counted_and_stop_nobody() -> None:
    async with polling() as made:
        updates = made.peer.updates
        made.peer.push(updates.undecodable(), updates.unknown(), updates.text("still here"))
        await made.desk.has(1)
        await made.peer.wait_for(lambda: not made.peer.waiting.updates)
        assert sorted(made.facts("discarded", "why")) == ["malformed", "unknown"]
        assert made.desk.texts == ["still here"]


async def test_what_no_database_will_ever_take_keeps_nothing_behind_it_waiting() -> None:
    async with polling() as made:
        made.desk.unfit = "unfit"
        made.peer.push(made.peer.updates.text("unfit"), made.peer.updates.text("behind it"))
        await made.desk.has(1)
        await made.peer.wait_for(lambda: not made.peer.waiting.updates)
        assert made.desk.texts == ["behind it"]
        assert made.facts("failed", "place") == ["accept telegram"]


async def test_five_deliveries_of_one_update_are_one_message() -> None:
    async with polling() as made:
        update = made.peer.updates.text("once")
        made.peer.push(update)
        await made.desk.has(1)
        for _ in range(4):
            made.peer.repeat(update)
        made.peer.push(made.peer.updates.text("next"))
        await made.desk.has(2)
        assert made.desk.texts == ["once", "next"]


async def test_while_it_cannot_be_stored_nothing_is_confirmed() -> None:
    async with line() as made:
        made.desk.shut = 3
        update = made.peer.updates.text("important")
        made.peer.push(update)
        listen(made)
        await made.desk.has(1)
        await made.peer.wait_for(lambda: confirmed(made))
        assert made.desk.attempts == 4
        offsets = [call.body.get("offset") for call in made.peer.calls("getUpdates")]
        assert offsets[:4] == [None] * 4


async def test_a_batch_with_one_refusal_is_not_confirmed_in_part() -> None:
    async with line() as made:
        made.desk.shut = 1
        updates = [made.peer.updates.text(f"m{n}", sender=who) for n, who in enumerate((ANN, BO))]
        made.peer.push(*updates)
        listen(made)
        await made.desk.has(2)
        await made.peer.wait_for(lambda: len(confirmed(made)) == 2)
        assert sorted(made.desk.texts) == ["m0", "m1"]
        assert made.rows.advanced == [updates[1]["update_id"] + 1]


async def test_within_a_chat_the_order_is_kept() -> None:
    async with line() as made:
        texts = [f"{name}{n}" for n in range(20) for name in "ab"]
        for text in texts:
            made.peer.push(made.peer.updates.text(text, sender=ANN if text[0] == "a" else BO))
        listen(made)
        await made.desk.has(40)
        for name in "ab":
            assert [text for text in made.desk.texts if text[0] == name] == [
                f"{name}{n}" for n in range(20)
            ]


async def test_only_the_holder_of_the_row_polls() -> None:
    async with line() as made:
        made.rows.ours = False
        made.peer.push(made.peer.updates.text("hello"))
        listen(made)
        await until(lambda: made.rows.asked >= 3)
        assert made.peer.calls("getUpdates") == []
        made.rows.ours = True
        await made.desk.has(1)


async def test_who_loses_the_row_stops_polling_at_once() -> None:
    async with polling(poll="50s") as made:
        await made.peer.wait_for(lambda: made.peer.calls("getUpdates"))
        made.rows.ours = False
        await made.peer.wait_for(lambda: made.peer.calls("getUpdates")[0].ended_at)
        made.peer.push(made.peer.updates.text("for the other node"))
        asked = made.rows.asked
        await until(lambda: made.rows.asked >= asked + 3)
        assert made.desk.texts == []


async def test_a_webhook_that_was_set_is_taken_away_and_what_waits_is_kept() -> None:
    async with line() as made:
        made.peer._set_webhook({"url": "http://127.0.0.1:9/gone"})
        made.peer.push(made.peer.updates.text("kept"))
        listen(made)
        await made.desk.has(1)
        assert made.desk.texts == ["kept"]


async def test_another_poller_is_a_conflict_that_is_reported_and_gone_in_the_end() -> None:
    async with line() as made:
        made.peer.faults.plan(
            failure(409, "Conflict: terminated by other getUpdates request"),
            method="getUpdates",
            times=2,
        )
        made.peer.push(made.peer.updates.text("hello"))
        listen(made)
        await until(lambda: made.facts("listening", "alive") == [False])
        assert "another program" in (await made.adapter.probe()).detail
        await made.desk.has(1)
        await until(lambda: made.facts("listening", "alive") == [False, False, True])
        times = [call.at for call in made.peer.calls("getUpdates")[:3]]
        assert times[1] - times[0] > 2_500_000


@pytest.mark.parametrize("fault", [cut(), page(502), garbage(), failure(500), flood(3)])
async def test_a_poll_that_fails_is_made_again(fault: object) -> None:
    async with line() as made:
        made.peer.faults.plan(fault, method="getUpdates", times=2)  # type: ignore[arg-type]  # any fault
        made.peer.push(made.peer.updates.text("hello"))
        listen(made)
        await made.desk.has(1)
        assert made.facts("listening", "alive")[:2] == [False, False]


@pytest.mark.slow  # the wait for another node, forty times as fast
@pytest.mark.parametrize("method", ["getUpdates", "getMe"])
async def test_who_does_not_reach_the_platform_lets_another_node_try_and_then_tries_again(
    method: str,
) -> None:
    async with line() as made:
        made.peer.faults.plan(cut(), method=method, times=10**6)
        made.peer.push(made.peer.updates.text("hello"))
        listen(made)
        await until(lambda: made.rows.let_go_of == 1)
        made.peer.faults.clear()
        await made.desk.has(1)
        assert made.desk.texts == ["hello"]
        assert made.rows.let_go_of == 1


@pytest.mark.parametrize("fault", [flood(60), failure(409, "Conflict: another getUpdates request")])
async def test_who_is_refused_by_the_platform_keeps_the_row(fault: Fault) -> None:
    async with line() as made:
        made.peer.faults.plan(fault, method="getUpdates", times=10**6)
        listen(made)
        await made.peer.wait_for(lambda: len(made.peer.calls("getUpdates")) >= 6)
        assert made.rows.let_go_of == 0


async def test_it_begins_before_the_platform_is_there() -> None:
    async with line() as made:
        made.peer.faults.plan(cut(), method="getMe", times=2)
        await made.adapter.open()
        listen(made)
        made.peer.push(made.peer.updates.mention("early"))
        await made.desk.has(1)
        assert made.desk.texts == ["👋 early"]


async def test_it_stops_when_it_is_told_to_and_lets_the_row_go() -> None:
    async with line(poll="50s") as made:
        task = listen(made)
        await made.peer.wait_for(lambda: made.peer.calls("getUpdates"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert made.rows.let_go_of == 1
        await made.peer.wait_for(lambda: made.peer.calls("getUpdates")[0].ended_at)


async def test_a_press_is_confirmed_and_a_second_one_is_the_first_again() -> None:
    async with polling() as made:
        sent = await made.adapter.send(made.out(private(ANN), "Really?"))
        shown = made.peer.messages(private(ANN))[0]
        shown.markup = {"inline_keyboard": [[{"text": "Yes", "callback_data": "yes"}]]}
        message = made.peer.as_json(shown)
        made.peer.push(
            made.peer.updates.pressed("yes", message), made.peer.updates.pressed("yes", message)
        )
        await made.peer.wait_for(lambda: len(made.peer.methods.answered) == 2)
        await made.peer.wait_for(lambda: shown.markup is None)
        (press,) = made.desk.inbounds
        assert (press.kind, press.text, press.reply_to) == (Kind.BUTTON, "yes", sent.platform_id)


async def test_in_a_group_only_who_asked_takes_the_buttons_away() -> None:
    async with polling() as made:
        asked = made.peer.updates.mention("order it")
        made.peer.push(asked)
        await made.desk.has(1)
        question = str(asked["message"]["message_id"])
        choices = (Choice("Yes", "yes"), Choice("No", "no"))
        await made.adapter.send(made.out(GROUP, "Shall I?", reply_to=question, choices=choices))
        (shown,) = made.peer.messages(GROUP)
        for _ in range(2):
            made.peer.push(made.peer.updates.pressed("yes", made.peer.as_json(shown), BO))
        await made.peer.wait_for(lambda: len(made.peer.methods.answered) == 2)
        await until(lambda: not made.adapter._reception._errands)
        assert shown.markup is not None
        made.peer.push(made.peer.updates.pressed("yes", made.peer.as_json(shown), ANN))
        await made.peer.wait_for(lambda: shown.markup is None)
        pressed = [int(inbound.sender.id) for inbound in made.desk.inbounds[1:]]
        assert pressed == [BO["id"], ANN["id"]]


async def test_a_lost_answer_about_the_buttons_of_a_press_is_nothing_to_complain_about() -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, about: complaints.append(about))
    async with polling() as made:
        await made.adapter.send(made.out(private(ANN), "Really?"))
        shown = made.peer.messages(private(ANN))[0]
        shown.markup = {"inline_keyboard": [[{"text": "Yes", "callback_data": "yes"}]]}
        made.peer.faults.plan(cut(effect=True), method="editMessageReplyMarkup")
        made.peer.push(made.peer.updates.pressed("yes", made.peer.as_json(shown)))
        await made.peer.wait_for(lambda: shown.markup is None)
        await until(lambda: not made.adapter._reception._errands)
    gc.collect()  # a task complains when it is gone and nobody has asked for its error
    assert complaints == []


async def test_who_has_blocked_us_is_forgotten_after_ten_thousand_others() -> None:
    async with line() as made:
        reception = made.adapter._reception
        for number in range(10_001):
            await reception.take(Read(None, left=str(number)), made.desk)
        assert reception.can_reach("0")
        assert not reception.can_reach("1")
        assert not reception.can_reach("10000")


async def test_a_group_that_moves_is_told_before_what_is_said_in_the_new_one() -> None:
    async with line() as made:
        made.peer.push(*made.peer.updates.moved(), made.peer.updates.own_command("/new"))
        listen(made)
        await made.desk.has(3)
        assert [inbound.kind for inbound in made.desk.inbounds] == [
            Kind.MOVED,
            Kind.MOVED,
            Kind.COMMAND,
        ]
        assert made.desk.inbounds[0].address == made.address(OLD_GROUP)
        assert made.desk.inbounds[0].moved_to == made.address(GROUP)


async def test_an_edit_comes_through_where_the_first_text_did() -> None:
    async with polling() as made:
        told = made.peer.updates.mention("my number is 5")
        chatter = made.peer.updates.text("lunch?", chat=GROUP)
        made.peer.push(told, chatter)
        await made.desk.has(1)
        made.peer.push(
            made.peer.updates.edited(chatter, "dinner?"),
            made.peer.updates.edited(told, "never mind"),
        )
        await made.desk.has(2)
        assert made.desk.inbounds[1].kind is Kind.EDITED
        assert made.desk.texts[1] == "never mind"


async def test_an_edit_comes_through_where_another_process_took_the_first_text() -> None:
    async with polling() as made:
        told = made.peer.updates.mention("my number is 5")
        chatter = made.peer.updates.text("lunch?", chat=GROUP)
        made.pages.remember(made.address(GROUP), str(told["message"]["message_id"]))
        made.peer.push(
            made.peer.updates.edited(chatter, "dinner?"),
            made.peer.updates.edited(told, "never mind"),
        )
        await made.desk.has(1)
        await made.peer.wait_for(lambda: not made.peer.waiting.updates)
        assert [(i.kind, i.text) for i in made.desk.inbounds] == [(Kind.EDITED, "never mind")]
        assert made.facts("discarded", "why") == ["edited without effect"]


async def test_an_edit_that_cannot_be_looked_up_is_asked_for_again() -> None:
    async with line() as made:
        told = made.peer.updates.mention("my number is 5")
        made.pages.remember(made.address(GROUP), str(told["message"]["message_id"]))
        made.pages.away = True
        made.peer.push(made.peer.updates.edited(told, "never mind"))
        listen(made)
        await until(lambda: made.pages.asked)
        made.pages.away = False
        await made.desk.has(1)
        assert made.desk.texts == ["never mind"]


async def test_after_a_block_nobody_watches_until_the_person_is_back() -> None:
    async with polling() as made:
        address = made.address(private(ANN))
        made.peer.push(made.peer.updates.blocked())
        await made.peer.wait_for(lambda: not made.adapter.watched(address))
        made.peer.push(made.peer.updates.unblocked())
        await made.desk.has(1)
        assert made.desk.inbounds[0].kind is Kind.JOINED
        assert made.adapter.watched(address)
