"""Sending over the real wire: what arrives, what was refused, what nobody knows."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from telegram import error as telegram_errors
from telegram.error import TelegramError

from adapters.telegram.failures import translate
from adapters.telegram.marks import Rendered
from adapters.telegram.request import SharedRequest
from bot import (
    Ambiguous,
    Choice,
    Doubtful,
    Image,
    ParleyError,
    Permanent,
    Text,
    Transient,
    Unknown,
)
from tests.adapters.telegram.line import line
from tests.peers.faults import Fault, answered, cut, garbage, hang, page
from tests.peers.telegram_faults import failure, flood
from tests.peers.telegram_updates import ANN, FORUM, GROUP, OLD_GROUP, private

PERSON = private(ANN)


async def test_an_answer_arrives_with_its_marks_and_without_a_preview() -> None:
    async with line() as made:
        sent = await made.adapter.send(made.out(PERSON, "**Hi** [there](https://e.example)"))
        (shown,) = made.peer.messages(PERSON)
        assert (shown.text, str(shown.id)) == ("Hi there", sent.platform_id)
        assert [entity["type"] for entity in shown.entities] == ["bold", "text_link"]
        body = made.peer.calls("sendMessage")[0].body
        assert body["link_preview_options"] == {"is_disabled": True}


async def test_a_group_sees_to_what_we_reply_and_a_private_chat_needs_no_such_thing() -> None:
    async with line() as made:
        question = made.peer.updates.text("well?", chat=GROUP)
        made.peer.note(question)
        number = str(question["message"]["message_id"])
        await made.adapter.send(made.out(GROUP, "so", reply_to=number))
        await made.adapter.send(made.out(GROUP, "gone", reply_to="987654"))
        await made.adapter.send(made.out(PERSON, "so", reply_to=number))
        first, second = made.peer.messages(GROUP)
        assert (first.reply_to, second.reply_to) == (int(number), None)
        assert made.peer.messages(PERSON)[0].reply_to is None


async def test_a_topic_is_answered_in_its_place() -> None:
    async with line() as made:
        made.peer.note(made.peer.updates.topic("hm", 31))
        await made.adapter.send(made.out(FORUM, "here", thread=31))
        assert made.peer.messages(FORUM)[0].thread == 31


async def test_choices_are_buttons() -> None:
    async with line() as made:
        choices = (Choice("Yes", "yes"), Choice("No", "no"))
        await made.adapter.send(made.out(PERSON, "Really?", choices=choices))
        markup = made.peer.messages(PERSON)[0].markup
        assert markup == {
            "inline_keyboard": [
                [{"text": "Yes", "callback_data": "yes"}, {"text": "No", "callback_data": "no"}]
            ]
        }


async def test_a_picture_goes_with_its_caption() -> None:
    async with line() as made:
        picture = Image("https://e.example/p.png")
        (piece,) = made.adapter.pieces(made.out(PERSON, "**look**", attachments=(picture,)))
        await made.adapter.send(piece)
        (shown,) = made.peer.messages(PERSON)
        assert (shown.kind, shown.text) == ("photo", "look")
        assert shown.entities[0]["type"] == "bold"


async def test_every_piece_of_a_long_answer_is_taken() -> None:
    async with line(chat_per_second=0) as made:
        text = "# Long\n\n" + "A sentence with **bold** 😀 words and `code`. " * 400
        for piece in made.adapter.pieces(made.out(PERSON, text)):
            await made.adapter.send(piece)
        assert len(made.peer.messages(PERSON)) > 3


async def test_a_flood_pauses_this_chat_and_no_other() -> None:
    async with line() as made:
        made.peer.faults.plan(flood(30), method="sendMessage")
        with pytest.raises(Transient) as refused:
            await made.adapter.send(made.out(GROUP, "one"))
        assert refused.value.retry_after == timedelta(seconds=30)
        with pytest.raises(Transient):
            await made.adapter.send(made.out(GROUP, "two"))
        await made.adapter.send(made.out(PERSON, "elsewhere"))
        assert len(made.peer.calls("sendMessage")) == 2
        assert made.peer.texts(PERSON) == ["elsewhere"]


@pytest.mark.parametrize(
    "fault",
    [
        cut(),
        cut(effect=True),
        hang(),
        hang(effect=True),
        garbage(),
        garbage(effect=True),
        page(502),
        page(200),
        answered("no message", 200, {"ok": True, "result": {}}),
        answered("no result", 200, {"ok": True}),
    ],
)
async def test_without_a_readable_answer_nobody_knows(fault: Fault) -> None:
    async with line(timeout="300ms") as made:
        made.peer.faults.plan(fault, method="sendMessage")
        with pytest.raises(Ambiguous):
            await made.adapter.send(made.out(PERSON, "perhaps"))
        assert len(made.peer.calls("sendMessage")) == 1


@pytest.mark.parametrize("status", [500, 502, 504])
@pytest.mark.parametrize("effect", [False, True])
async def test_an_error_in_the_services_own_words_can_be_tried_again_with_a_mark(
    status: int, effect: bool
) -> None:
    async with line() as made:
        made.peer.faults.plan(failure(status, effect=effect), method="sendMessage")
        with pytest.raises(Doubtful):
            await made.adapter.send(made.out(PERSON, "later"))


async def test_what_was_never_written_can_be_tried_again() -> None:
    async with line() as made:
        out = made.out(PERSON, "later")
        await made.peer.stop()
        with pytest.raises(Transient):
            await made.adapter.send(out)


async def test_a_person_who_blocked_us_gets_nothing_more() -> None:
    async with line() as made:
        made.peer.note(made.peer.updates.blocked())
        with pytest.raises(Permanent, match="blocked"):
            await made.adapter.send(made.out(PERSON, "hello?"))


@pytest.mark.parametrize(
    ("status", "description"), [(400, "Bad Request: chat not found"), (401, "Unauthorized")]
)
async def test_a_refusal_is_final(status: int, description: str) -> None:
    async with line() as made:
        body = {"ok": False, "error_code": status, "description": description}
        made.peer.faults.plan(answered("refused", status, body), method="sendMessage")
        with pytest.raises(Permanent):
            await made.adapter.send(made.out(PERSON, "hello?"))
        assert len(made.peer.calls("sendMessage")) == 1


async def test_marks_that_are_not_understood_are_left_out_once() -> None:
    async with line() as made:
        made.peer.chats.note(PERSON)
        body = {"ok": False, "error_code": 400, "description": "Bad Request: can't parse entities"}
        made.peer.faults.plan(answered("entities", 400, body), method="sendMessage")
        await made.adapter.send(made.out(PERSON, "**bold** words"))
        (shown,) = made.peer.messages(PERSON)
        assert (shown.text, shown.entities) == ("bold words", ())


async def test_a_group_that_moved_is_followed_and_stays_followed() -> None:
    async with line() as made:
        out = made.out(OLD_GROUP, "are you there?")
        made.peer.migrate(OLD_GROUP, GROUP)
        await made.adapter.send(out)
        await made.adapter.send(out)
        assert made.peer.texts(GROUP) == ["are you there?"] * 2
        assert [call.body["chat_id"] for call in made.peer.calls("sendMessage")] == [
            OLD_GROUP["id"],
            GROUP["id"],
            GROUP["id"],
        ]


async def test_an_address_that_is_no_chat_is_refused_without_a_call() -> None:
    async with line() as made:
        with pytest.raises(Permanent):
            await made.adapter.send(made.out({"id": "somewhere", "type": "private"}, "hi"))


async def test_files_are_fetched_up_to_a_size() -> None:
    async with line(max_file="20B") as made:
        made.peer.methods.files |= {"small": b"0123456789", "large": b"x" * 21}
        assert await made.adapter.fetch(Image("small")) == b"0123456789"
        for part in (Image("large"), Image("unknown"), Text("no file"), Unknown("poll", "{}")):
            with pytest.raises(Permanent):
                await made.adapter.fetch(part)


async def test_a_file_that_cannot_be_read_now_may_be_later() -> None:
    async with line() as made:
        made.peer.faults.plan(cut(), method="getFile")
        with pytest.raises(Transient):
            await made.adapter.fetch(Image("small"))


def vendor_errors() -> Iterator[type[TelegramError]]:
    """Every class of the library's, however deep."""
    waiting: list[type[TelegramError]] = [TelegramError]
    while waiting:
        kind = waiting.pop()
        if kind.__module__ == telegram_errors.__name__:
            yield kind
        waiting += kind.__subclasses__()


ARGUMENTS: dict[str, Any] = {
    "ChatMigrated": (-5,),
    "RetryAfter": (4,),
    "InvalidToken": (),
    "TimedOut": (),
}


def test_every_error_of_the_library_is_named() -> None:
    public = {value for value in vars(telegram_errors).values() if isinstance(value, type)}
    known = set(vendor_errors())
    assert known == {kind for kind in public if issubclass(kind, TelegramError)}
    assert len(known) >= 11


# Making one of its errors already announces another type of a value for a later version.
@pytest.mark.filterwarnings("ignore::telegram.warnings.PTBDeprecationWarning")
@pytest.mark.parametrize("kind", sorted(vendor_errors(), key=str))
async def test_no_error_of_the_library_leaks(kind: type[TelegramError]) -> None:
    raised = kind(*ARGUMENTS.get(kind.__name__, ("secret words",)))
    assert isinstance(translate(raised), ParleyError)

    class Failing(SharedRequest):
        """A request that goes wrong in the library's own way."""

        async def do_request(self, *_: Any, **__: Any) -> tuple[int, bytes]:
            raise raised

    async with line() as made:
        client = made.adapter._client
        client._bot._request = (Failing(client._http, 1.0),) * 2
        with pytest.raises(ParleyError) as refused:
            await client.send_text(5, None, Rendered("hi"))
        assert type(refused.value).__module__.startswith(("bot.", "adapters."))


async def test_neither_text_nor_token_reaches_a_log_or_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    words = "a very private sentence"
    async with line(timeout="300ms") as made:
        for fault in (garbage(), cut(), page(502), hang(), flood(1)):
            made.peer.faults.plan(fault, method="sendMessage")
            with pytest.raises(ParleyError) as refused:
                await made.adapter.send(made.out(PERSON, words))
            error: BaseException | None = refused.value
            told = str(error) + repr(error)
            while error is not None and error.__cause__ is not None:
                error = error.__cause__
                told += str(error) + repr(error)
            assert words not in told
            assert made.peer.token not in told
        made.peer.faults.clear()
        health = await made.adapter.probe()
        assert made.peer.token not in health.detail
        token = made.peer.token
    assert words not in caplog.text
    assert token not in caplog.text


async def test_a_probe_says_who_we_are_or_what_to_do() -> None:
    async with line() as made:
        fine = await made.adapter.probe()
        assert (fine.ok, fine.detail) == (True, "@parley_test_bot by polling")
        made.peer.faults.plan(
            answered("401", 401, {"ok": False, "error_code": 401}), method="getMe"
        )
        assert "@BotFather" in (await made.adapter.probe()).detail
        made.peer.faults.plan(cut(), method="getMe")
        unreachable = await made.adapter.probe()
        assert not unreachable.ok
        assert "base_url" in unreachable.detail


async def test_a_probe_tells_a_poller_that_a_webhook_is_set() -> None:
    async with line() as made, aiohttp.ClientSession() as http:
        url = f"{made.peer.url}/bot{made.peer.token}/setWebhook"
        async with http.post(url, json={"url": "http://127.0.0.1:9/elsewhere"}):
            assert "webhook" in (await made.adapter.probe()).detail
