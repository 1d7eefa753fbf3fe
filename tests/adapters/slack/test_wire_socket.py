"""Socket Mode over a real wire: acknowledged when stored, and never without a socket for long."""

import asyncio

import pytest

from adapters.slack import SocketAdapter
from adapters.slack.sockets import AT_ONCE, STEADY
from bot import Inbound, Receive
from tests.adapters.slack.line import Line, line, listen, sockets
from tests.adapters.telegram.line import NewReceipt
from tests.fakes import until
from tests.peers.faults import page
from tests.peers.slack_delivery import Redelivery
from tests.peers.slack_events import DIRECT, GENERAL
from tests.peers.slack_faults import limited, refused


async def connected(made: Line, opened: int = 1) -> None:
    """Return once so many sockets were opened and the last one has said hello."""
    await made.peer.wait_for(lambda: made.peer.sockets.opened >= opened)
    await until(lambda: made.adapter._watch.connected)


async def listen_with(made: Line, receive: Receive) -> None:
    """Let somebody else take what comes."""
    opened = made.peer.sockets.opened
    for task in made.tasks:
        task.cancel()
    await asyncio.gather(*made.tasks, return_exceptions=True)
    assert isinstance(made.adapter, SocketAdapter)
    made.adapter._watch.connected = False
    made.tasks.append(asyncio.create_task(made.adapter.listen(receive)))
    await connected(made, opened + 1)


async def test_a_message_is_acknowledged_once_it_is_stored() -> None:
    async with sockets() as made:
        made.peer.say("hello")
        await made.peer.wait_for(lambda: made.peer.log.of("acknowledged"))
        assert made.desk.texts == ["hello"]
        (ack,) = made.peer.sockets.acks
        assert ack == {"envelope_id": ack["envelope_id"]}


@pytest.mark.slow
async def test_what_could_not_be_stored_comes_again() -> None:
    async with sockets(peer={"redelivery": Redelivery(patience=0.5)}) as made:
        made.desk.shut = 2
        made.peer.say("hello")
        await made.peer.wait_for(lambda: made.peer.log.of("acknowledged"))
        attempts = [entry.fields["attempt"] for entry in made.peer.log.of("delivery")]
        assert attempts == [1, 2, 3]
        assert made.desk.texts == ["hello"]


async def test_commands_and_buttons_come_by_the_socket_too() -> None:
    async with sockets() as made:
        made.peer.command("help")
        made.peer.push({"type": "shortcut", "team": {"id": "T0TEAM"}})
        await made.peer.wait_for(lambda: len(made.peer.sockets.acks) == 2)
        assert made.desk.texts == ["/help"]


async def test_a_mention_and_its_answer_by_the_socket() -> None:
    async with sockets() as made:
        root = made.peer.ask("what is up?")["event"]["ts"]
        await made.desk.has(1)
        await made.adapter.send(made.out(GENERAL, "the sky", root))
        assert made.peer.texts(GENERAL, root) == ["the sky"]
        await until(lambda: "own" in made.facts("discarded", "why"))


async def test_the_next_socket_is_open_before_the_old_one_closes() -> None:
    async with sockets() as made:
        await connected(made)
        await made.peer.sockets.disconnect("warning", close=False)
        await connected(made, 2)
        assert len(made.peer.sockets.open) == 2
        await made.passes(STEADY.total_seconds())
        old = made.peer.sockets.open[0]
        old.leaving = False
        made.peer.say("by the old or the new one")
        made.peer.say("by the other")
        await made.desk.has(2)
        await made.peer.sockets.disconnect("refresh_requested")
        await connected(made, 3)
        made.peer.say("after all")
        await made.desk.has(3)
        assert False not in made.facts("listening", "alive")


async def test_a_socket_that_slack_forgets_to_close_is_closed_by_us() -> None:
    async with sockets() as made:
        await connected(made)
        await made.peer.sockets.disconnect("refresh_requested", close=False)
        await connected(made, 2)
        await made.peer.wait_for(lambda: len(made.peer.sockets.open) == 1)
        assert made.peer.sockets.open[0].number == 2


async def test_one_that_is_told_it_is_too_many_asks_for_sockets_more_and_more_seldom() -> None:
    # slack-sdk's test server says hello first and never closes: neither is a reason to hurry.
    async with sockets() as made:
        await connected(made)
        began = made.clock.monotonic()
        for number in range(2, 7):
            await made.peer.sockets.disconnect("too_many_websockets", close=False)
            await connected(made, number)
        # 1, 2, 4, 8 and 16 seconds, each shortened by chance to no less than six tenths.
        assert made.clock.monotonic() - began >= 18
        assert len(made.peer.sockets.open) <= 2


@pytest.mark.slow
@pytest.mark.parametrize("reason", ["refresh_requested", "warning", "too_many_websockets"])
async def test_who_is_turned_away_after_every_hello_knocks_more_and_more_seldom(
    reason: str,
) -> None:
    async with line() as made:
        made.peer.sockets.turned_away = reason
        listen(made)
        await made.peer.wait_for(lambda: made.peer.sockets.opened)
        began = made.clock.monotonic()
        await made.peer.wait_for(lambda: made.peer.sockets.opened >= 7)
        # Once at once, if Slack has asked for it; then after 1, 2, 4, 8 and 16 seconds, each
        # shortened by chance to no less than six tenths.
        assert made.clock.monotonic() - began >= 18
        await until(lambda: not made.facts("listening", "alive")[-1])
        assert made.adapter._watch.socket is not None
        made.peer.sockets.turned_away = ""
        made.peer.say("still there?")
        await made.desk.has(1)
        await until(lambda: made.facts("listening", "alive")[-1])
        assert not made.tasks[0].done()


async def test_a_socket_that_has_to_go_soon_is_followed_at_once_the_first_time() -> None:
    async with sockets() as made:
        await connected(made)
        await made.peer.sockets.disconnect("refresh_requested", close=False)
        await connected(made, 2)
        assert False not in made.facts("listening", "alive")


async def test_a_cut_in_the_middle_loses_nothing() -> None:
    async with sockets(peer={"redelivery": Redelivery(patience=0.3)}) as made:
        await connected(made)
        gate = asyncio.Event()

        async def slow(inbound: Inbound, open_for: object = None, /) -> NewReceipt:
            await gate.wait()
            return await made.desk(inbound)

        await listen_with(made, slow)
        made.peer.say("hold on")
        await made.peer.wait_for(lambda: made.peer.log.of("delivery"))
        await made.peer.sockets.drop()
        gate.set()
        await made.peer.wait_for(lambda: made.peer.sockets.opened >= 3, 20)
        await made.peer.wait_for(lambda: made.peer.log.of("acknowledged"), 20)
        assert made.desk.texts == ["hold on"]
        alive = made.facts("listening", "alive")
        assert alive[-2:] == [False, True]


async def test_messages_of_one_channel_are_accepted_in_order_and_others_do_not_wait() -> None:
    async with sockets() as made:
        await connected(made)
        gate = asyncio.Event()
        order: list[str] = []

        async def slow(inbound: Inbound, open_for: object = None, /) -> NewReceipt:
            if inbound.text == "first":
                await gate.wait()
            order.append(inbound.text)
            return NewReceipt()

        await listen_with(made, slow)
        (socket,) = made.peer.sockets.open
        for number, (text, channel) in enumerate(
            [("first", DIRECT), ("second", DIRECT), ("elsewhere", "D0BO")]
        ):
            body = made.peer.events.message(text, channel=channel)
            envelope = {"envelope_id": str(number), "type": "events_api", "payload": body}
            await socket.wire.send_json(envelope)
        await until(lambda: order == ["elsewhere"])
        gate.set()
        await until(lambda: len(order) == 3)
        assert order == ["elsewhere", "first", "second"]


async def test_a_flood_of_frames_waits_in_the_socket() -> None:
    async with sockets(max_size=100_000) as made:
        await connected(made)
        for number in range(2 * AT_ONCE):
            made.peer.say(f"{number}", channel=DIRECT)
        await made.desk.has(2 * AT_ONCE)
        await made.peer.wait_for(lambda: len(made.peer.sockets.acks) == 2 * AT_ONCE)


async def test_a_frame_that_is_too_large_or_no_payload_does_not_come_again() -> None:
    async with sockets(max_size=2000) as made:
        await connected(made)
        (socket,) = made.peer.sockets.open
        await socket.wire.send_str("no JSON at all")
        await socket.wire.send_str("[" * 20_000)
        await socket.wire.send_bytes(b"\x00")
        await socket.wire.send_json({"type": "something_new"})
        await socket.wire.send_json({"envelope_id": "1", "type": "events_api", "payload": "x"})
        made.peer.say("x" * 3000)
        made.peer.say("small")
        await made.desk.has(1)
        await made.peer.wait_for(lambda: len(made.peer.sockets.acks) == 3)
        assert made.desk.texts == ["small"]
        assert made.facts("rejected", "why") == ["size"]


async def test_no_socket_is_had_at_first_and_then_one_is() -> None:
    async with line() as made:
        for fault in (page(502), limited(2), refused("internal_error")):
            made.peer.faults.plan(fault, method="apps.connections.open")
        listen(made)
        await connected(made)
        assert len(made.peer.calls("apps.connections.open")) == 4
        assert made.facts("listening", "alive") == [False, False, False, True]


async def test_a_socket_that_never_says_hello_is_no_socket() -> None:
    async with line() as made:
        made.peer.sockets.silent = True
        listen(made)
        await made.peer.wait_for(lambda: made.peer.sockets.opened)
        await made.peer.wait_for(lambda: made.facts("listening", "alive"))
        assert not made.adapter._watch.connected
        made.peer.sockets.silent = False
        await connected(made, 2)


async def test_switched_off_it_waits_instead_of_knocking() -> None:
    async with sockets() as made:
        await connected(made)
        made.peer.socket_mode = False
        await made.peer.sockets.disconnect("link_disabled")
        await until(lambda: "switched off" in str(made.adapter._watch.socket))
        before = made.clock.monotonic()
        made.peer.socket_mode = True
        await connected(made, 2)
        assert made.clock.monotonic() - before > 50
        assert made.adapter._watch.socket is None


async def test_two_nodes_have_a_socket_each_and_each_event_comes_to_one() -> None:
    async with sockets() as made:
        await connected(made)
        listen(made)
        await made.peer.wait_for(lambda: len(made.peer.sockets.open) == 2)
        for number in range(6):
            made.peer.say(str(number))
        await made.desk.has(6)
        used = {entry.fields["socket"] for entry in made.peer.log.of("delivery")}
        assert (used, made.desk.attempts) == ({1, 2}, 6)


async def test_stopping_closes_the_socket() -> None:
    async with sockets() as made:
        await connected(made)
        for task in made.tasks:
            task.cancel()
        await asyncio.gather(*made.tasks, return_exceptions=True)
        await made.peer.wait_for(lambda: not made.peer.sockets.open)
