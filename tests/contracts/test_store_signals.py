"""The contract of signals: read on from where a node stopped, and gone after a while."""

from datetime import timedelta

from bot.domain.address import Address, shard_of
from bot.domain.records import NewSignal, Retention, Signal, SignalKind
from tests.contracts.worlds import ANN, CHAT, OTHER_CHAT, World

STOP = NewSignal(SignalKind.STOP, "default", CHAT)
EVERYWHERE = range(256)


def text(body: str, address: Address = CHAT) -> NewSignal:
    return NewSignal(SignalKind.TEXT, "default", address, body)


async def bodies(world: World, after: int = 0) -> list[str]:
    return [one.body for one in await world.store.signals(after, shards=EVERYWHERE)]


async def test_signals_are_read_in_order_from_where_a_node_stopped(world: World) -> None:
    where = (await world.accept()).conversation
    watcher = NewSignal(SignalKind.WATCHER, "default", CHAT, "web")
    await world.store.put_signals([STOP, watcher])
    other = await world.another()
    first, second = await other.signals(0)
    assert first == Signal(first.id, where, SignalKind.STOP, "default")
    assert second == Signal(second.id, where, SignalKind.WATCHER, "default", "web")
    assert await other.signals(first.id) == [second]
    assert await other.signals(second.id) == []
    assert await other.signals(0, limit=1) == [first]


async def test_what_is_known_already_is_not_read_again(world: World) -> None:
    await world.store.put_signals([STOP, STOP, STOP])
    first, second, third = await world.store.signals(0)
    assert await world.store.signals(0, known=[first.id, third.id]) == [second]


async def test_a_place_without_a_conversation_has_signals_of_its_own(world: World) -> None:
    await world.store.put_signals([STOP])
    (before,) = await world.store.signals(0)
    assert before.conversation == 0
    where = (await world.accept()).conversation
    await world.store.put_signals([STOP])
    (after,) = await world.store.signals(before.id)
    assert after.conversation == where


async def test_a_conversation_that_has_moved_is_found_under_both_addresses(world: World) -> None:
    where = (await world.accept()).conversation
    await world.store.move("default", CHAT, OTHER_CHAT)
    new = NewSignal(SignalKind.STOP, "default", OTHER_CHAT)
    await world.store.put_signals([STOP, new])
    assert [one.conversation for one in await world.store.signals(0)] == [where, where]


async def test_texts_and_events_are_given_only_to_those_who_ask_for_their_shard(
    world: World,
) -> None:
    here, there = shard_of("default", CHAT), shard_of("default", OTHER_CHAT)
    said = NewSignal(SignalKind.SAID, "default", OTHER_CHAT, "there")
    await world.store.put_signals([text("here"), said, STOP])
    assert [one.body for one in await world.store.signals(0, shards=[here])] == ["here", ""]
    assert [one.body for one in await world.store.signals(0, shards=[there])] == ["there", ""]
    assert [one.kind for one in await world.store.signals(0)] == [SignalKind.STOP]


async def test_only_the_newest_text_of_a_turn_is_kept_and_gone_with_its_end(world: World) -> None:
    claim = await world.claimed()
    await world.accept(world.inbound(address=OTHER_CHAT))
    for body in ("a", "ab"):
        await world.store.put_signals([text(body)])
    await world.store.put_signals([text("abc"), text("other", OTHER_CHAT), text("abcd")])
    assert await bodies(world) == ["other", "abcd"]
    await world.answered(claim)
    assert await bodies(world) == ["other"]


async def test_what_was_said_stays_beside_the_texts_that_follow(world: World) -> None:
    await world.accept()
    said = NewSignal(SignalKind.SAID, "default", CHAT, "done")
    await world.store.put_signals([text("a"), said, text("b")])
    assert await bodies(world) == ["done", "b"]


async def test_a_reader_begins_after_what_is_old(world: World) -> None:
    assert await world.store.signals_before(timedelta(0)) == 0
    await world.store.put_signals([STOP, STOP])
    await world.age(60)
    await world.store.put_signals([STOP])
    *_, old, new = await world.store.signals(0)
    assert await world.store.signals_before(timedelta(seconds=30)) == old.id
    assert await world.store.signals(old.id) == [new]


async def test_signals_are_dropped_when_they_are_old(world: World) -> None:
    await world.store.put_signals([STOP, STOP])
    await world.age(60)
    await world.store.put_signals([text("young")])
    assert await world.store.drop_signals(timedelta(seconds=30)) == 2
    assert await world.store.drop_signals(timedelta(seconds=30)) == 0
    assert await bodies(world) == ["young"]
    await world.age(7200)
    counts = await world.store.retain(Retention(86400, 86400))
    assert counts["signals"] == 1
    assert await bodies(world) == []


async def test_forgetting_takes_the_signals_along(world: World) -> None:
    claim = await world.claimed()
    said = NewSignal(SignalKind.SAID, "default", CHAT, "words")
    await world.store.put_signals([text("words"), said])
    await world.store.forget(claim, ANN)
    assert await bodies(world) == []
