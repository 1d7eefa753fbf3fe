"""The Telegram stand-in behaves like the Bot API towards python-telegram-bot's own client."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, MessageEntity, Update
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    EndPointNotFound,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)
from telegram.request import HTTPXRequest

from tests.peers.faults import Fault, cut, garbage, hang, page
from tests.peers.log import Json, Log
from tests.peers.telegram import TelegramPeer
from tests.peers.telegram_delivery import SECRET_HEADER, Redelivery, Webhook
from tests.peers.telegram_faults import failure, flood
from tests.peers.telegram_rules import Flood, units
from tests.peers.telegram_updates import ANN, BO, FORUM, GROUP, OLD_GROUP

# Reading `retry_after` warns about a type of a later version, whatever the reader does.
pytestmark = pytest.mark.filterwarnings("ignore::telegram.warnings.PTBDeprecationWarning")


@pytest.fixture
async def peer() -> AsyncIterator[TelegramPeer]:
    async with TelegramPeer(redelivery=Redelivery(first=0.001, attempts=4)) as peer:
        peer.note(peer.updates.text("hello"))
        yield peer


@pytest.fixture
async def bot(peer: TelegramPeer) -> AsyncIterator[Bot]:
    async with _client(peer) as bot:
        yield bot


def _client(peer: TelegramPeer, token: str | None = None, read: float = 5.0) -> Bot:
    return Bot(
        token or peer.token,
        base_url=peer.base_url,
        base_file_url=peer.base_file_url,
        request=HTTPXRequest(read_timeout=read),
        get_updates_request=HTTPXRequest(read_timeout=read),
    )


class Receiver:
    """A webhook that answers what it is told to and keeps what it got."""

    def __init__(self) -> None:
        self.bodies: list[Json] = []
        self.secrets: list[str | None] = []
        self.statuses: list[int] = []
        self.url = ""

    async def handle(self, request: web.BaseRequest) -> web.Response:
        self.bodies.append(msgspec.json.decode(await request.read()))
        self.secrets.append(request.headers.get(SECRET_HEADER))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    runner = web.ServerRunner(web.Server(receiver.handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/in/telegram"
    yield receiver
    await runner.cleanup()


async def test_the_bot_knows_its_own_name(peer: TelegramPeer, bot: Bot) -> None:
    assert bot.username == peer.bot["username"]
    assert bot.id == 123456789


async def test_a_message_that_is_sent_stands_on_the_screen(peer: TelegramPeer, bot: Bot) -> None:
    sent = await bot.send_message(ANN["id"], "Good morning")
    assert peer.texts(ANN) == ["Good morning"]
    assert sent.message_id == peer.messages(ANN)[0].id
    assert sent.chat.type == "private"


async def test_entities_travel_to_the_screen(peer: TelegramPeer, bot: Bot) -> None:
    bold = MessageEntity("bold", offset=3, length=4)
    sent = await bot.send_message(ANN["id"], "\U0001f44b word", entities=[bold])
    assert sent.entities == (bold,)
    assert peer.messages(ANN)[0].entities == ({"type": "bold", "offset": 3, "length": 4},)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("   \n ", "Message text is empty"),
        ("x" * 4097, "Message is too long"),
        ("\U0001f600" * 2049, "Message is too long"),
    ],
)
async def test_a_text_that_does_not_fit_is_refused(bot: Bot, text: str, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        await bot.send_message(ANN["id"], text)


async def test_the_longest_text_is_counted_in_utf16_units(peer: TelegramPeer, bot: Bot) -> None:
    await bot.send_message(ANN["id"], "\U0001f600" * 2048)
    assert units(peer.texts(ANN)[0]) == 4096


@pytest.mark.parametrize(
    ("entity", "reason"),
    [
        (MessageEntity("bold", 0, 1), "ends in a middle of a utf-16 symbol at byte offset 4"),
        (MessageEntity("bold", 1, 2), "begins in a middle of a utf-16 symbol at byte offset 4"),
        (MessageEntity("bold", 3, 9), "ends after the end of the text at utf-16 offset 12"),
        (MessageEntity("bold", 9, 1), "begins after the end of the text"),
        (MessageEntity("bold", -1, 1), "incorrect offset -1"),
        (MessageEntity("shiny", 0, 2), "unsupported type"),
        (MessageEntity("text_link", 0, 2), "find field"),
    ],
)
async def test_a_wrong_entity_is_refused(bot: Bot, entity: MessageEntity, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        await bot.send_message(ANN["id"], "\U0001f600 word", entities=[entity])


async def test_an_edit_that_changes_nothing_is_refused(peer: TelegramPeer, bot: Bot) -> None:
    sent = await bot.send_message(ANN["id"], "one")
    with pytest.raises(BadRequest, match="Message is not modified"):
        await bot.edit_message_text("one", ANN["id"], sent.message_id)
    await bot.edit_message_text("two", ANN["id"], sent.message_id)
    assert peer.texts(ANN) == ["two"]
    assert [version.text for version in peer.messages(ANN)[0].versions] == ["one", "two"]


async def test_only_own_and_present_messages_can_be_edited(peer: TelegramPeer, bot: Bot) -> None:
    theirs = peer.updates.text("mine")
    peer.note(theirs)
    with pytest.raises(BadRequest, match="Message can't be edited"):
        await bot.edit_message_text("x", ANN["id"], theirs["message"]["message_id"])
    sent = await bot.send_message(ANN["id"], "soon gone")
    assert await bot.delete_message(ANN["id"], sent.message_id)
    with pytest.raises(BadRequest, match="Message to edit not found"):
        await bot.edit_message_text("x", ANN["id"], sent.message_id)
    with pytest.raises(BadRequest, match="Message to delete not found"):
        await bot.delete_message(ANN["id"], sent.message_id)
    assert peer.texts(ANN) == []


async def test_a_chat_nobody_introduced_is_not_found(bot: Bot) -> None:
    with pytest.raises(BadRequest, match="Chat not found"):
        await bot.send_message(424242, "hello?")


async def test_a_lenient_peer_takes_any_chat() -> None:
    async with TelegramPeer(strict=False) as peer, _client(peer) as bot:
        await bot.send_message(-100424242, "hello", message_thread_id=9)
        assert peer.texts(-100424242) == ["hello"]


async def test_whoever_blocked_the_bot_gets_nothing(peer: TelegramPeer, bot: Bot) -> None:
    peer.note(peer.updates.blocked())
    with pytest.raises(Forbidden, match="blocked by the user"):
        await bot.send_message(ANN["id"], "hello?")
    peer.note(peer.updates.unblocked())
    await bot.send_message(ANN["id"], "welcome back")


async def test_a_group_that_moved_names_its_new_id(peer: TelegramPeer, bot: Bot) -> None:
    for update in peer.updates.moved(OLD_GROUP, GROUP):
        peer.note(update)
    with pytest.raises(ChatMigrated) as moved:
        await bot.send_message(OLD_GROUP["id"], "hello")
    assert moved.value.new_chat_id == GROUP["id"]


async def test_a_topic_must_exist(peer: TelegramPeer, bot: Bot) -> None:
    peer.note(peer.updates.topic("first", thread=7))
    sent = await bot.send_message(FORUM["id"], "here", message_thread_id=7)
    assert sent.message_thread_id == 7
    with pytest.raises(BadRequest, match="Message thread not found"):
        await bot.send_message(FORUM["id"], "where?", message_thread_id=8)


async def test_a_reply_needs_its_message(peer: TelegramPeer, bot: Bot) -> None:
    asked = peer.updates.text("a question")
    peer.note(asked)
    sent = await bot.send_message(
        ANN["id"], "answer", reply_to_message_id=asked["message"]["message_id"]
    )
    assert sent.reply_to_message is not None
    assert sent.reply_to_message.text == "a question"
    with pytest.raises(BadRequest, match="Message to be replied not found"):
        await bot.send_message(ANN["id"], "answer", reply_to_message_id=999)


async def test_a_draft_grows_and_ends_with_the_message(peer: TelegramPeer, bot: Bot) -> None:
    await bot.send_message_draft(ANN["id"], 5, "Once")
    await bot.send_message_draft(ANN["id"], 5, "Once upon")
    assert peer.texts(ANN) == []
    await bot.send_message(ANN["id"], "Once upon a time")
    (draft,) = peer.drafts(ANN)
    assert draft.texts == ["Once", "Once upon"]
    assert draft.ended_by == "message"


async def test_a_draft_that_nobody_renews_fades_after_thirty_seconds() -> None:
    clock = [0]
    log = Log(now=lambda: clock[0])
    async with TelegramPeer(log=log, strict=False) as peer, _client(peer) as bot:
        await bot.send_message_draft(ANN["id"], 5, "Once")
        clock[0] = 29_000_000
        await bot.send_message_draft(ANN["id"], 5, "Once upon")
        clock[0] = 60_000_000
        await bot.send_message_draft(ANN["id"], 5, "Once upon a")
        first, second = peer.drafts(ANN)
        assert (first.ended_by, first.ended_at) == ("faded", 59_000_000)
        assert second.ended_by is None


async def test_drafts_are_for_private_chats_and_have_a_number(peer: TelegramPeer, bot: Bot) -> None:
    peer.chats.note(GROUP)
    with pytest.raises(BadRequest, match="Textdraft_peer_invalid"):
        await bot.send_message_draft(GROUP["id"], 5, "Once")
    with pytest.raises(BadRequest, match="Draft_id"):
        await bot.send_message_draft(ANN["id"], 0, "Once")


async def test_flood_control_counts_edits_and_says_how_long() -> None:
    clock = [0]
    log = Log(now=lambda: clock[0])
    async with (
        TelegramPeer(log=log, strict=False, flood=Flood(burst=2)) as peer,
        _client(peer) as bot,
    ):
        sent = await bot.send_message(ANN["id"], "1")
        await bot.edit_message_text("2", ANN["id"], sent.message_id)
        with pytest.raises(RetryAfter) as refused:
            await bot.edit_message_text("3", ANN["id"], sent.message_id)
        assert _seconds(refused.value) == 1
        await bot.send_message(BO["id"], "another chat is free")
        clock[0] = 1_000_000
        await bot.edit_message_text("3", ANN["id"], sent.message_id)


async def test_a_group_takes_twenty_a_minute() -> None:
    clock = [0]
    log = Log(now=lambda: clock[0])
    async with (
        TelegramPeer(log=log, strict=False, flood=Flood(penalty=126)) as peer,
        _client(peer) as bot,
    ):
        for number in range(20):
            clock[0] += 2_000_000
            await bot.send_message(GROUP["id"], str(number))
        clock[0] += 2_000_000
        with pytest.raises(RetryAfter) as refused:
            await bot.send_message(GROUP["id"], "one too many")
        assert _seconds(refused.value) == 126


async def test_a_wrong_token_and_an_unknown_method_are_told_apart(
    peer: TelegramPeer, bot: Bot
) -> None:
    stranger = _client(peer, "1:wrong")
    with pytest.raises(InvalidToken):
        await stranger.initialize()
    await stranger.shutdown()
    with pytest.raises(EndPointNotFound):
        await bot.do_api_request("sendTelepathy", api_kwargs={})


async def test_buttons_are_checked_and_presses_answered_once_known(
    peer: TelegramPeer, bot: Bot
) -> None:
    longest = InlineKeyboardMarkup([[InlineKeyboardButton("Yes", callback_data="x" * 64)]])
    sent = await bot.send_message(ANN["id"], "Sure?", reply_markup=longest)
    assert sent.reply_markup is not None
    keyboard = {"inline_keyboard": [[{"text": "Yes", "callback_data": "x" * 65}]]}
    with pytest.raises(BadRequest, match="Button_data_invalid"):
        await bot.send_message(ANN["id"], "?", api_kwargs={"reply_markup": keyboard})
    press = peer.updates.pressed("x", peer.as_json(peer.messages(ANN)[0]))
    decoded = Update.de_json(press, bot)
    assert decoded.callback_query is not None
    with pytest.raises(BadRequest, match="Query is too old"):
        await bot.answer_callback_query(decoded.callback_query.id)
    peer.note(press)
    assert await bot.answer_callback_query(decoded.callback_query.id)


async def test_actions_and_commands_are_checked(peer: TelegramPeer, bot: Bot) -> None:
    assert await bot.send_chat_action(ANN["id"], "typing")
    with pytest.raises(BadRequest, match="Wrong parameter action"):
        await bot.send_chat_action(ANN["id"], "juggling")
    await bot.set_my_commands([("new", "Begin anew")])
    assert [command.command for command in await bot.get_my_commands()] == ["new"]
    with pytest.raises(BadRequest, match="Bot_command_invalid"):
        await bot.set_my_commands([("New!", "Begin anew")])


async def test_files_go_both_ways(peer: TelegramPeer, bot: Bot) -> None:
    peer.methods.files["voice-1"] = b"OggS"
    file = await bot.get_file("voice-1")
    assert bytes(await file.download_as_bytearray()) == b"OggS"
    sent = await bot.send_document(ANN["id"], b"a,b\n1,2\n", caption="A table", filename="t.csv")
    assert sent.document is not None
    again = await bot.get_file(sent.document.file_id)
    assert bytes(await again.download_as_bytearray()) == b"a,b\n1,2\n"
    photo = await bot.send_photo(ANN["id"], "photo-id", caption="A view")
    assert photo.photo
    with pytest.raises(BadRequest, match="Wrong file_id"):
        await bot.get_file("nothing")


async def test_polling_hands_out_until_the_offset_confirms(peer: TelegramPeer, bot: Bot) -> None:
    first, second = peer.updates.text("1"), peer.updates.text("2")
    peer.push(first, second)
    got = await bot.get_updates()
    assert [update.update_id for update in got] == [first["update_id"], second["update_id"]]
    assert len(await bot.get_updates()) == 2
    (left,) = await bot.get_updates(offset=second["update_id"])
    assert left.message is not None
    assert left.message.text == "2"
    assert peer.log.of("acknowledged")[0].fields == {"update_ids": [first["update_id"]]}
    peer.repeat(first)
    assert [update.update_id for update in await bot.get_updates(offset=second["update_id"] + 1)]


async def test_an_offset_far_beyond_the_newest_confirms_nothing_and_begins_at_the_oldest(
    peer: TelegramPeer, bot: Bot
) -> None:
    first, second = peer.updates.text("1"), peer.updates.text("2")
    peer.push(first, second)
    both = [first["update_id"], second["update_id"]]
    for _ in range(2):
        found = await bot.get_updates(offset=second["update_id"] + 12)
        assert [update.update_id for update in found] == both
    assert not peer.log.of("acknowledged")
    assert await bot.get_updates(offset=second["update_id"] + 11) == ()
    assert peer.log.of("acknowledged")[0].fields == {"update_ids": both}


async def test_a_long_poll_returns_when_something_happens(peer: TelegramPeer, bot: Bot) -> None:
    waiting = asyncio.create_task(bot.get_updates(timeout=20))
    await peer.wait_for(lambda: peer.calls("getUpdates"))
    peer.push(peer.updates.mention("are you there?"))
    (update,) = await waiting
    assert update.message is not None
    assert update.message.parse_entities() == {update.message.entities[0]: "@parley_test_bot"}


async def test_a_second_poller_ends_the_first(peer: TelegramPeer, bot: Bot) -> None:
    first = asyncio.create_task(bot.get_updates(timeout=20))
    await peer.wait_for(lambda: peer.calls("getUpdates"))
    async with _client(peer) as other:
        assert await other.get_updates(timeout=0) == ()
    with pytest.raises(Conflict, match="other getUpdates"):
        await first


async def test_kinds_that_were_not_asked_for_never_come(peer: TelegramPeer, bot: Bot) -> None:
    await bot.get_updates(allowed_updates=["message"])
    peer.push(peer.updates.blocked(BO), peer.updates.text("hi"))
    (update,) = await bot.get_updates()
    assert update.message is not None


async def test_a_webhook_and_polling_exclude_each_other(
    peer: TelegramPeer, bot: Bot, receiver: Receiver
) -> None:
    peer.push(peer.updates.text("before"))
    await bot.set_webhook(receiver.url, secret_token="s3cret", max_connections=2)
    await peer.wait_for(lambda: peer.log.of("acknowledged"))
    assert receiver.secrets == ["s3cret"]
    with pytest.raises(Conflict, match="webhook is active"):
        await bot.get_updates()
    assert (await bot.get_webhook_info()).url == receiver.url
    await bot.delete_webhook(drop_pending_updates=True)
    assert await bot.get_updates() == ()


async def test_a_refused_delivery_comes_again_and_holds_back_only_its_chat(
    peer: TelegramPeer, bot: Bot, receiver: Receiver
) -> None:
    await bot.set_webhook(receiver.url)
    receiver.statuses = [503, 500]
    one, two = peer.updates.text("1"), peer.updates.text("2")
    peer.push(one, two)
    await peer.wait_for(lambda: len(peer.log.of("acknowledged")) == 2)
    ids = [body["update_id"] for body in receiver.bodies]
    assert ids == [one["update_id"]] * 3 + [two["update_id"]]


async def test_twins_arrive_together(peer: TelegramPeer, receiver: Receiver) -> None:
    update = peer.updates.text("once, please")
    webhook = Webhook(receiver.url, "s3cret")
    assert await peer.twins(update, 5, webhook) == [200] * 5
    assert receiver.bodies == [update] * 5
    assert receiver.secrets == ["s3cret"] * 5


async def test_one_delivery_can_be_made_by_hand(peer: TelegramPeer, receiver: Receiver) -> None:
    receiver.statuses = [401, 503]
    update = peer.updates.text("hi")
    assert await peer.post(update, Webhook(receiver.url)) == 401
    assert await peer.deliver(update, Webhook(receiver.url)) == 200
    assert await peer.post(update, Webhook("http://127.0.0.1:9/")) == 0
    assert receiver.secrets == [None, None, None]


async def test_a_driver_hears_of_everything_at_once(peer: TelegramPeer, bot: Bot) -> None:
    heard: list[str] = []
    peer.log.listeners.append(lambda entry: heard.append(entry.kind))
    await bot.send_message(ANN["id"], "hello")
    assert heard == ["request", "shown", "outcome"]


async def test_a_poller_is_cut_off_when_the_service_goes_away() -> None:
    async with TelegramPeer() as peer, _client(peer) as bot:
        waiting = asyncio.create_task(bot.get_updates(timeout=20))
        await peer.wait_for(lambda: peer.calls("getUpdates"))
        await peer.stop()
        with pytest.raises(NetworkError):
            await waiting


async def test_every_kind_of_update_decodes(peer: TelegramPeer, bot: Bot) -> None:
    build = peer.updates
    built = [
        build.command("/start 42"),
        build.own_command("/new"),
        build.text_mention("hello"),
        build.topic("in a topic", 7),
        build.edited(build.text("a"), "b"),
        build.voice(),
        build.document("a.txt"),
        build.added(),
        build.removed(),
        build.joined(),
        build.unknown(),
        *build.album(["one", None]),
        *build.moved(),
    ]
    ids = [Update.de_json(update, bot).update_id for update in built]
    assert ids == sorted(set(ids))
    with pytest.raises((KeyError, TypeError)):
        Update.de_json(build.undecodable(), bot)


@pytest.mark.parametrize(
    ("fault", "error", "shown"),
    [
        (flood(7), RetryAfter, 0),
        (failure(502), NetworkError, 0),
        (failure(500, effect=True), NetworkError, 1),
        (page(502), NetworkError, 0),
        (garbage(effect=True), TelegramError, 1),
        (cut(), NetworkError, 0),
        (cut(effect=True), NetworkError, 1),
        (hang(), TimedOut, 0),
        (hang(effect=True), TimedOut, 1),
    ],
)
async def test_a_planned_fault_happens_once(
    peer: TelegramPeer, fault: Fault, error: type[TelegramError], shown: int
) -> None:
    peer.faults.plan(fault, method="sendMessage")
    async with _client(peer, read=0.3) as bot:
        with pytest.raises(error):
            await bot.send_message(ANN["id"], "hello")
        assert len(peer.texts(ANN)) == shown
        await bot.send_message(ANN["id"], "again")
    assert peer.texts(ANN)[-1] == "again"


async def test_the_log_tells_a_checker_everything(tmp_path: Path) -> None:
    file = tmp_path / "telegram.jsonl"
    async with TelegramPeer(log=Log(file), strict=False) as peer, _client(peer) as bot:
        peer.faults.plan(cut(effect=True), method="sendMessage")
        with pytest.raises(NetworkError):
            await bot.send_message(ANN["id"], "lost answer")
    lines = [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]
    kinds = [line["kind"] for line in lines if line.get("method") != "getMe"]
    assert kinds == ["request", "shown", "outcome"]
    request, shown, outcome = (line for line in lines if line.get("method") != "getMe")
    assert request["chat"] == ANN["id"]
    assert request["body"]["text"] == shown["text"] == "lost answer"
    assert (outcome["status"], outcome["fault"], outcome["call"]) == (0, "cut", request["call"])
    assert request["mono"] <= shown["mono"] <= outcome["mono"]
    assert request["wall"] > 1_700_000_000_000_000


def _seconds(refused: RetryAfter) -> float:
    after = refused.retry_after
    return after.total_seconds() if isinstance(after, timedelta) else after
