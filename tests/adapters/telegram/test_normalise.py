"""Raw updates become inbound messages, or nothing, with a reason."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.telegram.mentions import Me
from adapters.telegram.normalise import is_json, normalise
from bot import Address, Audio, File, Image, Kind, Text, Unknown, command_of
from bot.engine.commands import is_yes
from tests.adapters.telegram.raw import CREW, DIRECT, EVE, ME, OURS, heard, message, read, spot

NAMELESS = Me(4242)


DEEP = b'{"update_id": 3, "message": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
"""Deeper than any reader goes."""


def test_a_private_message_names_its_place_its_writer_and_its_time() -> None:
    inbound = heard(message=message("good morning"))
    assert inbound.event_key == "900"
    assert inbound.address == Address("telegram", "4242", "77")
    assert (inbound.sender.id, inbound.sender.name) == ("77", "Eve Stone")
    assert inbound.sender.locale == "de"
    assert inbound.message.sent_at == datetime.fromtimestamp(1_790_000_000, UTC)
    assert inbound.message.platform_id == "5"
    assert (inbound.kind, inbound.direct, inbound.addressed) == (Kind.MESSAGE, True, True)
    assert inbound.text == "good morning"


def test_unknown_fields_are_no_obstacle() -> None:
    assert heard(message=message("hi", effect_of_tomorrow={"x": [1]})).text == "hi"


def test_a_start_link_is_a_command_with_its_payload() -> None:
    inbound = heard(
        message=message(
            "/start shop-17", entities=[spot("bot_command", "/start shop-17", "/start")]
        )
    )
    assert (inbound.kind, inbound.text) == (Kind.COMMAND, "/start shop-17")


@pytest.mark.parametrize(
    ("said", "understood"),
    [
        ("/new", "/new"),
        ("/New@Parley_Bot", "/new"),
        ("/start@parley_bot abc", "/start abc"),
        ("@parley_bot /stop", "/stop"),
        ("/roll@parley_bot 20", "/roll 20"),
        ("@parley_bot /roll 20", "/roll 20"),
    ],
)
def test_in_a_group_a_command_is_ours_with_our_name_or_where_we_know_its_word(
    said: str, understood: str
) -> None:
    entities = [spot("mention", said, "@parley_bot")] if said.startswith("@") else []
    inbound = heard(message=message(said, chat=CREW, entities=entities))
    assert (inbound.kind, inbound.text, inbound.addressed) == (Kind.COMMAND, understood, True)


@pytest.mark.parametrize("said", ["/roll 20", "/weather", "/newest"])
def test_in_a_group_a_command_of_another_word_and_without_a_name_may_be_for_any_bot(
    said: str,
) -> None:
    assert read(message=message(said, chat=CREW)).why == "unaddressed"
    assert not heard(edited_message=message(said, chat=CREW)).addressed
    assert heard(message=message(said)).kind is Kind.COMMAND
    ours = message("so", chat=CREW, sender=OURS)
    assert heard(message=message(said, chat=CREW, reply_to_message=ours)).addressed


@pytest.mark.parametrize("chat", [CREW, DIRECT])
def test_a_command_for_another_bot_is_silent(chat: dict[str, Any]) -> None:
    found = read(message=message("/help@weather_bot", chat=chat))
    assert (found.inbound, found.why) == (None, "other bot")


def test_a_path_is_no_command() -> None:
    assert heard(message=message("/etc/hosts is broken")).kind is Kind.MESSAGE


def test_in_a_group_only_what_is_said_to_us_is_kept() -> None:
    found = read(message=message("lunch?", chat=CREW))
    assert (found.inbound, found.why) == (None, "unaddressed")


@pytest.mark.parametrize(
    ("said", "name", "prompt"),
    [
        ("🎉🎉 @PARLEY_bot how late is it?", "@PARLEY_bot", "🎉🎉 how late is it?"),
        ("@parley_bot, how late is it?", "@parley_bot", "how late is it?"),
        ("how late is it @parley_bot", "@parley_bot", "how late is it"),
        ("@parley_bot：几点了", "@parley_bot", "几点了"),
        ("@parley_bot", "@parley_bot", "@parley_bot"),
    ],
)
def test_a_mention_speaks_to_us_and_is_not_part_of_the_question(
    said: str, name: str, prompt: str
) -> None:
    inbound = heard(message=message(said, chat=CREW, entities=[spot("mention", said, name)]))
    assert (inbound.text, inbound.direct, inbound.addressed) == (prompt, False, True)


def test_a_mention_by_id_counts_and_stays_where_the_sentence_needs_it() -> None:
    leading = "Parley what can you do"
    inbound = heard(
        message=message(
            leading, chat=CREW, entities=[spot("text_mention", leading, "Parley", user=OURS)]
        )
    )
    assert inbound.text == "what can you do"
    inner = "what can Parley do"
    inbound = heard(
        message=message(
            inner, chat=CREW, entities=[spot("text_mention", inner, "Parley", user=OURS)]
        )
    )
    assert inbound.text == inner


BO = {"id": 78, "is_bot": False, "first_name": "Bo"}
FORWARDED: list[dict[str, Any]] = [
    {"forward_origin": {"type": "user", "date": 1_780_000_000, "sender_user": BO}},
    {"forward_origin": {"type": "hidden_user", "date": 1_780_000_000, "sender_user_name": "Bo"}},
    {"forward_from": BO, "forward_date": 1_780_000_000},
]
"""As servers of today tell it, and older ones."""


@pytest.mark.parametrize("origin", FORWARDED)
@pytest.mark.parametrize(
    ("said", "quoted"),
    [
        ("yes", "> yes"),
        ("是", "> 是"),
        ("停止", "> 停止"),
        ("/forget", "> /forget"),
        ("/new@weather_bot", "> /new@weather_bot"),
        ("one\n\ntwo", "> one\n>\n> two"),
    ],
)
def test_who_forwards_a_command_or_a_yes_has_not_said_it(
    origin: dict[str, Any], said: str, quoted: str
) -> None:
    inbound = heard(message=message(said, **origin))
    assert (inbound.kind, inbound.text, inbound.addressed) == (Kind.MESSAGE, quoted, True)
    assert (command_of(inbound), is_yes(inbound)) == (None, False)
    assert read(message=message(said, chat=CREW, **origin)).why == "unaddressed"


@pytest.mark.parametrize("me", [ME, NAMELESS])
def test_who_forwards_our_name_has_not_said_it(me: Me) -> None:
    said = "@parley_bot hi"
    naming = {"entities": [spot("mention", said, "@parley_bot")], **FORWARDED[0]}
    found = read(me, message=message(said, chat=CREW, **naming))
    assert (found.why, found.undecided) == ("unaddressed", False)
    assert heard(me, message=message(said, **naming)).text == "> @parley_bot hi"


def test_the_caption_of_a_forwarded_picture_is_quoted() -> None:
    inbound = heard(message=message(photo=[file("p")], caption="ok", **FORWARDED[0]))
    assert inbound.message.parts == (Image("p", caption="> ok"),)
    assert not is_yes(inbound)


def test_somebody_elses_name_is_not_ours() -> None:
    said = "@parley_bot2 hello"
    found = read(message=message(said, chat=CREW, entities=[spot("mention", said, "@parley_bot2")]))
    assert found.why == "unaddressed"


def test_a_reply_to_us_speaks_to_us() -> None:
    inbound = heard(
        message=message(
            "and why?", chat=CREW, reply_to_message=message("so", chat=CREW, sender=OURS)
        )
    )
    assert (inbound.addressed, inbound.reply_to) == (True, "5")


def test_the_first_message_of_a_topic_that_we_made_is_nothing_that_one_replies_to() -> None:
    first = message(chat=CREW, sender=OURS, forum_topic_created={"name": "n", "icon_color": 1})
    found = read(
        message=message(
            "hm", chat=CREW, message_thread_id=3, is_topic_message=True, reply_to_message=first
        )
    )
    assert found.why == "unaddressed"


def test_a_topic_is_a_place_of_its_own_and_a_chain_of_replies_is_not() -> None:
    in_topic = heard(
        message=message("/new", chat=CREW, message_thread_id=31, is_topic_message=True)
    )
    in_chain = heard(message=message("/new", chat=CREW, message_thread_id=31))
    assert (in_topic.address.thread, in_chain.address.thread) == ("31", None)


def test_while_our_name_is_unknown_a_mention_is_undecided_instead_of_lost() -> None:
    said = "@parley_bot hi"
    naming = message(said, chat=CREW, entities=[spot("mention", said, "@parley_bot")])
    assert read(NAMELESS, message=naming).undecided
    assert read(NAMELESS, message=message("/new@parley_bot", chat=CREW)).undecided
    assert not read(NAMELESS, message=message("/new", chat=CREW)).undecided
    assert read(NAMELESS, message=message("hm", chat=CREW)).why == "unaddressed"


def test_our_name_is_learned_from_an_update_that_tells_it() -> None:
    answered = message("so", chat=CREW, sender=OURS)
    found = read(NAMELESS, message=message("why?", chat=CREW, reply_to_message=answered))
    assert found.username == "parley_bot"
    pressed = {"id": "p", "from": EVE, "data": "x", "message": answered}
    assert read(NAMELESS, callback_query=pressed).username == "parley_bot"


def test_other_bots_and_we_ourselves_are_ignored() -> None:
    other = {"id": 9, "is_bot": True, "first_name": "Bot"}
    assert read(message=message("hi", sender=other)).why == "bot"
    assert read(message=message("hi", sender=OURS)).why == "own"


def test_an_anonymous_administrator_is_the_group() -> None:
    pseudo = {"id": 1087968824, "is_bot": True, "first_name": "Group"}
    inbound = heard(message=message("/new", chat=CREW, sender=pseudo, sender_chat=CREW))
    assert (inbound.sender.id, inbound.sender.name) == ("-10055", "Crew")


def test_channels_are_silent() -> None:
    news = {"id": -10077, "type": "channel", "title": "News"}
    post = message("today", chat=news, sender=None, sender_chat=news)
    assert read(channel_post=post).why == "channel"
    assert read(edited_channel_post=post).why == "channel"
    assert read(message=post).why == "channel"


def test_an_edit_names_the_message_that_it_replaces() -> None:
    inbound = heard(edited_message=message("better", edit_date=1_790_000_050))
    assert (inbound.kind, inbound.text) == (Kind.EDITED, "better")
    assert inbound.message.platform_id == "5"


def test_an_edit_in_a_group_that_no_longer_names_us_says_so() -> None:
    assert not heard(edited_message=message("never mind", chat=CREW)).addressed


def test_a_live_location_is_not_an_edit_every_few_seconds() -> None:
    moving = message(location={"latitude": 1.0, "longitude": 2.0})
    assert read(edited_message=moving).why == "live location"


def test_a_press_brings_the_value_of_the_choice() -> None:
    under = message("choose", sender=OURS)
    found = read(callback_query={"id": "p1", "from": EVE, "data": "yes", "message": under})
    assert found.inbound is not None
    assert (found.inbound.kind, found.inbound.text) == (Kind.BUTTON, "yes")
    assert found.inbound.sender.id == "77"
    assert (found.press, found.pressed) == ("p1", "5")


OTHER: dict[str, Any] = {"id": 78, "is_bot": False, "first_name": "Bo"}
QUESTION = {"message_id": 4, "from": EVE}
TOPIC = {"message_id": 4, "from": EVE, "forum_topic_created": {"name": "Orders"}}


@pytest.mark.parametrize(
    ("chat", "answered", "presser", "taken"),
    [
        (DIRECT, None, EVE, "5"),
        (CREW, QUESTION, EVE, "5"),
        (CREW, QUESTION, OTHER, None),
        (CREW, None, EVE, None),
        (CREW, TOPIC, EVE, None),
    ],
)
def test_in_a_group_the_buttons_are_taken_away_by_who_was_answered_alone(
    chat: dict[str, Any],
    answered: dict[str, Any] | None,
    presser: dict[str, Any],
    taken: str | None,
) -> None:
    under = message("Shall I?", chat=chat, sender=OURS)
    if answered is not None:
        under["reply_to_message"] = answered
    press = {"id": "p1", "from": presser, "data": "yes", "message": under}
    assert read(callback_query=press).pressed == taken


def test_one_persons_presses_of_a_button_have_one_key_without_the_value_or_the_person() -> None:
    under = message("choose", chat=CREW, sender=OURS)
    press = {"id": "p1", "from": EVE, "data": "yes", "message": under}
    first = heard(callback_query=press).event_key
    again = msgspec.json.encode({"update_id": 901, "callback_query": {**press, "id": "p2"}})
    found = normalise(again, ME).inbound
    assert found is not None
    assert found.event_key == first
    assert first.startswith("press:")
    assert not {"yes", "77"} & set(first.split(":"))
    changes: list[dict[str, Any]] = [
        {"data": "no"},
        {"from": {**EVE, "id": 78}},
        {"message": {**under, "message_id": 6}},
        {"message": {**under, "chat": {**CREW, "id": -10056}}},
    ]
    keys = {heard(callback_query={**press, **change}).event_key for change in changes}
    assert len(keys - {first}) == len(changes)


def test_a_press_whose_value_was_too_long_for_the_wire_brings_its_label() -> None:
    rows = [[{"text": "First", "callback_data": "=0"}], [{"text": "Second", "callback_data": "=1"}]]
    under = message("choose", sender=OURS, reply_markup={"inline_keyboard": rows})
    inbound = heard(callback_query={"id": "p", "from": EVE, "data": "=1", "message": under})
    assert inbound.text == "Second"
    beyond = heard(callback_query={"id": "p", "from": EVE, "data": "=9", "message": under})
    assert beyond.text == "=9"


def test_a_press_under_a_message_out_of_reach_counts_and_changes_nothing_there() -> None:
    gone = {"message_id": 5, "date": 0, "chat": DIRECT}
    found = read(callback_query={"id": "p", "from": EVE, "data": "x", "message": gone})
    assert found.inbound is not None
    assert (found.press, found.pressed) == ("p", None)


def test_a_press_without_a_message_is_only_confirmed() -> None:
    found = read(callback_query={"id": "p", "from": EVE, "data": "x"})
    assert (found.inbound, found.press) == (None, "p")


def test_a_group_that_moves_names_both_places_from_either_side() -> None:
    old = {"id": -55, "type": "group", "title": "Crew"}
    leaving = heard(message=message(chat=old, migrate_to_chat_id=-10055))
    arriving = heard(message=message(chat=CREW, migrate_from_chat_id=-55))
    for inbound in (leaving, arriving):
        assert inbound.kind is Kind.MOVED
        assert inbound.address == Address("telegram", "4242", "-55")
        assert inbound.moved_to == Address("telegram", "4242", "-10055")


def member(old: str, new: str, chat: dict[str, Any]) -> dict[str, Any]:
    return {
        "chat": chat,
        "from": EVE,
        "date": 1_790_000_000,
        "old_chat_member": {"status": old, "user": OURS},
        "new_chat_member": {"status": new, "user": OURS},
    }


def test_being_let_in_is_told_and_being_shut_out_is_noted() -> None:
    assert heard(my_chat_member=member("left", "member", CREW)).kind is Kind.JOINED
    assert heard(my_chat_member=member("kicked", "member", DIRECT)).direct
    blocked = read(my_chat_member=member("member", "kicked", DIRECT))
    assert (blocked.why, blocked.left) == ("blocked", "77")
    removed = read(my_chat_member=member("administrator", "left", CREW))
    assert (removed.why, removed.left) == ("removed", "-10055")
    assert read(my_chat_member=member("member", "administrator", CREW)).why == "membership"


def file(name: str, **more: Any) -> dict[str, Any]:
    return {"file_id": name, "file_unique_id": f"u{name}", "file_size": 9, **more}


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (
            {"photo": [file("s"), file("m"), file("l")], "caption": "what is it?"},
            (Image("l", caption="what is it?"),),
        ),
        ({"photo": [file("s")]}, (Image("s"),)),
        ({"voice": file("v", mime_type="audio/ogg")}, (Audio("v"),)),
        ({"audio": file("a", mime_type="audio/mp4")}, (Audio("a", "audio/mp4"),)),
        (
            {"document": file("d", file_name="a.pdf", mime_type="application/pdf")},
            (File("d", "a.pdf", "application/pdf", 9),),
        ),
        ({"document": file("d", mime_type="image/png")}, (Image("d", "image/png"),)),
        (
            {"video": file("v"), "caption": "look"},
            (File("v", "", "video/mp4", 9), Text("look")),
        ),
        ({"animation": file("g"), "document": file("g")}, (File("g", "", "video/mp4", 9),)),
        ({"sticker": {"emoji": "👍"}}, (Text("👍"),)),
        ({"sticker": {}}, (Unknown("sticker", "{}"),)),
        ({"location": {"latitude": 52.5, "longitude": 13.4}}, (Text("📍 52.500000, 13.400000"),)),
        (
            {
                "location": {"latitude": 1.0, "longitude": 2.0},
                "venue": {"title": "Quay", "address": "Harbour 1"},
            },
            (Text("📍 Quay, Harbour 1 (1.000000, 2.000000)"),),
        ),
        (
            {"contact": {"phone_number": "+491", "first_name": "Bo"}},
            (Text("👤 Bo +491"),),
        ),
        ({"poll": {"question": "?"}}, (Unknown("poll", '{"question":"?"}'),)),
    ],
)
def test_what_a_message_holds_becomes_parts(
    content: dict[str, Any], parts: tuple[Any, ...]
) -> None:
    assert heard(message=message(**content)).message.parts == parts


def test_an_album_is_known_by_its_group() -> None:
    assert heard(message=message(photo=[file("p")], media_group_id="g1")).album == "g1"


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"new_chat_members": [EVE]},
        {"pinned_message": {"message_id": 1}},
        {"text": ""},
        {"write_access_allowed": {}},
    ],
)
def test_a_service_message_says_nothing(content: dict[str, Any]) -> None:
    assert read(message=message(**content)).why == "service"


@pytest.mark.parametrize(
    "raw",
    [
        b'{"update_id": 3, "message": {"chat": {"id": 1, "type": "private"}, "text": "no date"}}',
        b'{"update_id": 3, "message": "text"}',
        b'{"update_id": 3, "message": {"message_id": 1, "date": 99999999999999, "text": "x",'
        b' "chat": {"id": 1, "type": "private"}}}',
    ],
)
def test_a_malformed_update_keeps_its_number(raw: bytes) -> None:
    found = normalise(raw, ME)
    assert (found.why, found.update_id) == ("malformed", 3)


def test_what_is_no_update_has_no_number() -> None:
    for raw in (b"", b"[]", b"{", b"\xff\xfe", b'{"ok": true}', b'"\\ud800"', DEEP):
        assert normalise(raw, ME).update_id is None
    assert is_json(b"[1]")
    assert not is_json(b"<html>")
    assert not is_json(b"\xff")
    assert not is_json(DEEP)


def test_a_kind_of_tomorrow_is_unknown() -> None:
    assert read(telepathy={"strength": 3}).why == "unknown"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    "message_id date chat from text caption entities photo reply_to_message sender_chat "
    "migrate_to_chat_id message_thread_id voice location poll".split()
)


@given(
    kind=st.sampled_from(["message", "edited_message", "callback_query", "my_chat_member"]),
    changes=st.dictionaries(KEYS, JSON, max_size=4),
)
def test_no_content_whatever_raises(kind: str, changes: dict[str, Any]) -> None:
    content = {**message("hi @parley_bot", chat=CREW), **changes}
    normalise(msgspec.json.encode({"update_id": 1, kind: content}), ME)


@given(
    text=st.text(max_size=30),
    offset=st.integers(-50, 50),
    length=st.integers(-50, 50),
)
def test_no_entity_whatever_raises(text: str, offset: int, length: int) -> None:
    entity = {"type": "mention", "offset": offset, "length": length}
    by_id = {"type": "text_mention", "offset": offset, "length": length, "user": OURS}
    read(message=message(text, chat=CREW, entities=[entity, by_id]))


@given(raw=st.binary(max_size=60))
def test_no_bytes_whatever_raise(raw: bytes) -> None:
    normalise(raw, ME)
