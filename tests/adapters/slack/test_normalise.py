"""What payloads mean: for whom they are, where they belong, and what they say."""

from datetime import UTC, datetime
from typing import Any

import pytest
from slack_bolt.request.async_request import AsyncBoltRequest

from adapters.slack.dispatch import here_of
from adapters.slack.manifest import EVENTS
from adapters.slack.normalise import normalise
from adapters.slack.reading import Here, Read
from adapters.slack.words import Me
from bot import Address, File, Image, Inbound, Kind, Text, Unknown
from tests.fakes import EPOCH
from tests.peers.log import Json
from tests.peers.slack import BOT, TEAM, SlackPeer
from tests.peers.slack_events import ANN, DIRECT, GENERAL, Events
from tests.peers.slack_state import Version

ME = Me(frozenset({BOT}), frozenset({"B0PARLEY"}), names=frozenset({BOT}))
STRANGER = Me()
PEER = SlackPeer(now=lambda: 1_760_000_000.0)
EVENTS_OF: Events = PEER.events


def read(body: Json, me: Me = ME, here: Here | None = None) -> Read:
    return normalise(body, here or Here(TEAM), me, EPOCH)


def inbound(body: Json, me: Me = ME) -> Inbound:
    found = read(body, me).inbound
    assert found is not None
    return found


def said(text: str, **more: Any) -> Json:
    return EVENTS_OF.message(text, **more)


# ---- messages ----------------------------------------------------------------------------


def test_a_direct_message_is_for_us_and_its_chat_is_one_conversation() -> None:
    body = said("hello", ts="1760000000.000100")
    found = inbound(body)
    assert found.address == Address("slack", TEAM, DIRECT)
    assert (found.event_key, found.message.platform_id) == ("1760000000.000100",) * 2
    assert (found.kind, found.direct, found.addressed) == (Kind.MESSAGE, True, True)
    assert (found.sender.id, found.text) == (ANN, "hello")
    assert found.message.sent_at == datetime(2025, 10, 9, 8, 53, 20, 100, tzinfo=UTC)


def test_a_thread_in_a_direct_chat_is_a_conversation_of_its_own() -> None:
    assert inbound(said("more", thread="1.2")).address == Address("slack", TEAM, DIRECT, "1.2")


def test_a_mention_and_its_twin_are_one_event_in_one_thread() -> None:
    found = [inbound(body) for body in EVENTS_OF.mention("what is up?", ts="5.6")]
    assert found[0] == found[1]
    assert found[0].address == Address("slack", TEAM, GENERAL, "5.6")
    assert (found[0].event_key, found[0].text) == ("5.6", "what is up?")
    assert (found[0].direct, found[0].addressed) == (False, True)


def test_a_mention_inside_a_thread_belongs_to_that_thread() -> None:
    body, twin = EVENTS_OF.mention("and?", thread="1.2")
    assert inbound(body).address.thread == inbound(twin).address.thread == "1.2"


def test_before_our_name_is_known_a_mention_is_still_a_mention() -> None:
    body, twin = EVENTS_OF.mention("hi there")
    for event in (body, twin):
        event["authorizations"] = []
    assert read(body, STRANGER).why == "unaddressed"
    assert inbound(twin, STRANGER).text == "hi there"


def test_the_event_itself_tells_our_name_in_this_workspace() -> None:
    body, _ = EVENTS_OF.mention("hi there")
    assert inbound(body, STRANGER).text == "hi there"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"<@{BOT}> hi", "hi"),
        (f"<@{BOT}|parley>: hi", "hi"),
        (f"<@{BOT}>， 你好", "你好"),
        (f"hey <@{BOT}> you", "hey you"),
        (f"so, <@{BOT}>?", "so, ?"),
        (f"<@{BOT}> <@{BOT}> hi :smile:", "hi :smile:"),
        (f"<@{BOT}> ask <@U0BO> and <@U0CY|cy>", "ask @U0BO and @cy"),
        (f"<@{BOT}> a &lt;b&gt; &amp;amp;", "a <b> &amp;"),
        (f"<@{BOT}> <https://e.example/a?b&amp;c>", "https://e.example/a?b&c"),
        (f"<@{BOT}> <https://e.example|see here>", "see here (https://e.example)"),
        (f"<@{BOT}> <http://e.example|e.example>", "http://e.example"),
        (f"<@{BOT}> <mailto:a@e.example|a@e.example>", "a@e.example"),
        (f"<@{BOT}> <#C1|random> <#C2>", "#random #C2"),
        (f"<@{BOT}> <!here> <!subteam^S1|@ops> <!date^1^{{date}}|today>", "@here @ops today"),
    ],
)
def test_the_question_is_what_a_person_sees_without_our_name(text: str, words: str) -> None:
    assert inbound(EVENTS_OF.mention(text)[0]).text == words


def test_who_says_only_our_name_gets_help_and_no_model_is_asked() -> None:
    found = inbound(EVENTS_OF.mention(f"<@{BOT}>")[1])
    assert (found.kind, found.text) == (Kind.COMMAND, "/help")


def test_a_command_may_be_written_behind_a_mention() -> None:
    found = inbound(EVENTS_OF.mention("/new", thread="1.2")[0])
    assert (found.kind, found.text) == (Kind.COMMAND, "/new")


def test_what_names_nobody_in_a_thread_waits_for_whether_it_is_ours() -> None:
    found = read(said("go on", channel=GENERAL, thread="1.2"))
    assert found.follows
    assert found.inbound is not None
    assert not found.inbound.addressed


def test_a_reply_to_our_own_message_is_for_us() -> None:
    found = read(said("go on", channel=GENERAL, thread="1.2", parent_user_id=BOT))
    assert found.inbound is not None
    assert found.inbound.addressed


def test_what_begins_with_another_name_is_for_them() -> None:
    assert read(said("<@U0BO> you?", channel=GENERAL, thread="1.2")).why == "to somebody else"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "unaddressed"),
        ({"user": BOT}, "own"),
        ({"bot_id": "B0PARLEY"}, "own"),
        ({"bot_id": "B0OTHER"}, "bot"),
        ({"user": None}, "bot"),
        ({"user": "USLACKBOT"}, "bot"),
        ({"subtype": "bot_message"}, "bot"),
        ({"subtype": "channel_join"}, "service"),
        ({"subtype": "channel_topic"}, "service"),
    ],
)
def test_what_is_not_for_us_is_only_counted(changes: Json, why: str) -> None:
    found = read(said("x", channel=GENERAL, **changes))
    assert (found.inbound, found.why) == (None, why)


def test_a_reply_that_is_shown_to_the_channel_too_is_one_message() -> None:
    plain = inbound(EVENTS_OF.mention("x", thread="1.2", ts="3.4")[0])
    shared = EVENTS_OF.mention("x", thread="1.2", ts="3.4", subtype="thread_broadcast")[0]
    assert inbound(shared) == plain


def test_files_are_parts_by_reference() -> None:
    files = [
        {"id": "F1", "name": "a.png", "mimetype": "image/png", "size": 5},
        {"id": "F2", "name": "a.pdf", "mimetype": "application/pdf", "size": 6},
        {"id": "F3", "mode": "tombstone"},
    ]
    found = inbound(said("look", subtype="file_share", files=files))
    assert found.message.parts == (
        Text("look"),
        Image("F1", "image/png"),
        File("F2", "a.pdf", "application/pdf", 6),
    )


# ---- what is passed on -------------------------------------------------------------------


def share(text: str | None = "the site is down\nsince &lt;noon&gt;", **more: Any) -> Json:
    """A message of somebody else's in an attachment, as Slack forwards it."""
    given = {"is_share": True, "is_msg_unfurl": True, "author_name": "bo", "text": text}
    return {**given, "fallback": "[October 9th, 2025] bo: the site", "color": "D0D0D0", **more}


QUOTE = Text("> the site is down\n> since <noon>")


def test_a_forwarded_message_is_read_although_nothing_was_said_about_it() -> None:
    found = inbound(said("", attachments=[share()]))
    assert (found.kind, found.message.parts) == (Kind.MESSAGE, (QUOTE,))


def test_words_about_a_forwarded_message_stand_before_it() -> None:
    found = inbound(said("what is this?", attachments=[share(), share("and that")]))
    assert found.message.parts == (Text("what is this?"), QUOTE, Text("> and that"))


def test_a_mention_with_a_forwarded_message_asks_for_no_help() -> None:
    for event in EVENTS_OF.mention(f"<@{BOT}>", attachments=[share()]):
        found = inbound(event)
        assert (found.kind, found.message.parts) == (Kind.MESSAGE, (QUOTE,))


def test_who_forwards_a_command_or_our_name_has_not_said_it() -> None:
    found = inbound(said("", attachments=[share("/forget"), share("yes")]))
    assert (found.kind, found.text) == (Kind.MESSAGE, "> /forget\n> yes")
    ours = said("", channel=GENERAL, attachments=[share(f"<@{BOT}> hi")])
    assert read(ours).why == "unaddressed"


def test_a_forwarded_message_without_a_text_is_read_by_its_fallback() -> None:
    found = inbound(said("", attachments=[share(None, fallback="[today] bo: 12 &amp; 13")]))
    assert found.message.parts == (Text("> [today] bo: 12 & 13"),)


def test_the_files_of_a_forwarded_message_are_parts_by_reference() -> None:
    files = [{"id": "F1", "mimetype": "image/png"}, {"id": "F2", "mode": "tombstone"}]
    found = inbound(said("", attachments=[share("", files=files)]))
    assert found.message.parts == (Image("F1", "image/png"),)


@pytest.mark.parametrize("more", [{}, {"files": [{"id": "F2", "mode": "tombstone"}]}])
def test_a_forwarded_message_that_cannot_be_read_is_no_silence(more: Json) -> None:
    found = inbound(said("", attachments=[share(None, fallback=None, **more)]))
    assert found.message.parts == (Unknown("forwarded", '{"kind":"forwarded"}'),)


def test_what_is_forwarded_is_as_long_as_one_of_our_messages_at_most() -> None:
    found = inbound(said("", attachments=[share("a" * 7000), share("b" * 7000), share("c")]))
    assert found.text == f"> {'a' * 7000}\n> {'b' * 5000}…"


@pytest.mark.parametrize(
    "attachments",
    [
        [{"is_msg_unfurl": True, "text": "a pasted link", "fallback": "a link"}],
        [{"is_share": False, "text": "no share"}],
        [{"is_share": True, "text": 5}, "?", None],
        {"is_share": True},
        [],
    ],
)
def test_a_preview_is_not_read_and_none_of_an_odd_form_costs_the_message(
    attachments: object,
) -> None:
    assert inbound(said("look", attachments=attachments)).message.parts == (Text("look"),)


def test_an_edit_that_changes_what_was_passed_on_is_an_edit() -> None:
    body = EVENTS_OF.edited(said("look", attachments=[share()]), "look")
    assert read(body).why == "unchanged"
    body["event"]["message"]["attachments"] = [{"title": "a preview"}, share()]
    assert read(body).why == "unchanged"
    body["event"]["message"]["attachments"] = []
    assert inbound(body).message.parts == (Text("look"),)


def test_the_name_is_taken_where_an_event_tells_it() -> None:
    profile = {"display_name": "", "real_name": "Ann Example", "name": "ann"}
    assert inbound(said("x", user_profile=profile)).sender.name == "Ann Example"


# ---- edits and deletions -----------------------------------------------------------------


def test_an_edit_names_the_message_and_is_an_event_of_its_own() -> None:
    body = EVENTS_OF.edited(said("wrong", ts="1.2"), "right")
    found = inbound(body)
    at = body["event"]["message"]["edited"]["ts"]
    assert (found.kind, found.text) == (Kind.EDITED, "right")
    assert (found.event_key, found.message.platform_id) == (f"edited:1.2:{at}", "1.2")
    assert found.address == Address("slack", TEAM, DIRECT)


def test_an_edit_stays_in_the_thread_that_the_message_began() -> None:
    asked = EVENTS_OF.mention("wrong", ts="1.2")[0]
    found = read(EVENTS_OF.edited(asked, "not for you any more"))
    assert found.inbound is not None
    assert found.inbound.address.thread == "1.2"
    assert (found.follows, found.inbound.addressed) == (True, False)
    assert inbound(EVENTS_OF.edited(asked, f"<@{BOT}> right")).addressed


def test_what_changes_only_the_decoration_is_no_edit() -> None:
    assert read(EVENTS_OF.edited(said("a link"), "a link")).why == "unchanged"


def test_our_own_edits_are_our_own() -> None:
    own = {"ts": "1.2", "text": "x", "user": BOT, "bot_id": "B0PARLEY"}
    assert read(EVENTS_OF.own(own, DIRECT, {**own, "text": "y"})).why == "own"
    assert read(EVENTS_OF.deleted(EVENTS_OF.own(own, DIRECT))).why == "own"


def test_a_deletion_names_the_message() -> None:
    found = inbound(EVENTS_OF.deleted(said("oops", ts="1.2")))
    assert (found.kind, found.event_key) == (Kind.RECALLED, "deleted:1.2")
    assert (found.message.platform_id, found.message.parts) == ("1.2", ())
    assert found.address == Address("slack", TEAM, DIRECT)


def test_a_deleted_beginning_of_a_thread_leaves_a_stone_behind() -> None:
    body = EVENTS_OF.edited(said("oops", ts="1.2", channel=GENERAL), "This message was deleted.")
    body["event"]["message"]["subtype"] = "tombstone"
    found = inbound(body)
    assert (found.kind, found.message.platform_id) == (Kind.RECALLED, "1.2")


def test_a_deletion_that_quotes_nothing_is_understood() -> None:
    body = EVENTS_OF.deleted(said("oops", ts="1.2"))
    del body["event"]["previous_message"]
    assert inbound(body).message.platform_id == "1.2"


# ---- commands and buttons ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "kind", "text"),
    [
        ("new", Kind.COMMAND, "/new"),
        ("/stop", Kind.COMMAND, "/stop"),
        ("HELP please", Kind.COMMAND, "/help"),
        ("", Kind.COMMAND, "/help"),
        ("what is 2 &amp; 2?", Kind.MESSAGE, "what is 2 & 2?"),
        ("帮助", Kind.MESSAGE, "帮助"),
    ],
)
def test_a_slash_command_is_the_engines_or_a_question(typed: str, kind: Kind, text: str) -> None:
    body = EVENTS_OF.command(typed, response_url="https://e.example/r")
    found = read(body)
    assert found.inbound is not None
    assert (found.inbound.kind, found.inbound.text) == (kind, text)
    assert found.inbound.event_key == f"command:{body['trigger_id']}"
    assert found.inbound.address == Address("slack", TEAM, GENERAL, ANN)
    assert (found.inbound.direct, found.reply_url) == (True, "https://e.example/r")
    assert found.inbound.sender.name == "ann"


def test_a_slash_command_in_a_direct_chat_may_be_the_one_with_us() -> None:
    assert read(EVENTS_OF.command("new", channel=DIRECT)).chat == Address("slack", TEAM, DIRECT)


def press(number: int = 0, **changes: Any) -> Json:
    button = {
        "type": "button",
        "action_id": "choice:0",
        "text": {"type": "plain_text", "text": "Yes"},
        "value": "yes",
    }
    other = {**button, "action_id": "choice:1", "text": {"type": "plain_text", "text": "L"}}
    del other["value"]
    blocks: list[Json] = [
        {"type": "markdown", "text": "Really?"},
        {"type": "actions", "elements": [button, other]},
    ]
    root = PEER.channels.get(GENERAL)
    assert root is not None
    shown = PEER._shown({"ts": "1.3", "user": BOT, "thread_ts": "1.2"}, root)
    shown.versions.append(Version("Really?", 0, tuple(blocks)))
    return {**EVENTS_OF.press(shown, blocks, number), **changes}


def test_a_pressed_button_says_its_value_in_the_thread_that_it_stands_in() -> None:
    body = press()
    found = read(body)
    assert found.inbound is not None
    assert (found.inbound.kind, found.inbound.text) == (Kind.BUTTON, "yes")
    assert found.inbound.event_key.startswith("press:")
    assert found.inbound.address == Address("slack", TEAM, GENERAL, "1.2")
    assert found.inbound.reply_to == "1.3"
    assert found.confirm is not None
    assert [block["type"] for block in found.confirm.blocks] == ["markdown"]


def test_one_persons_presses_of_a_button_have_one_key_without_the_value_or_the_person() -> None:
    first, again = press(), press()
    assert first["actions"][0]["action_ts"] != again["actions"][0]["action_ts"]
    key = inbound(first).event_key
    assert inbound(again).event_key == key
    assert not {"yes", ANN} & set(key.split(":"))
    elsewhere = press(container={"message_ts": "1.4"}, message={"ts": "1.4"})
    others = [press(1), press(user={"id": "U0BO"}), elsewhere]
    assert len({inbound(body).event_key for body in others} - {key}) == 3


@pytest.mark.parametrize(("thread", "kept"), [("1.3", None), ("1.2", "1.2"), (None, None)])
def test_a_button_of_a_direct_chat_belongs_to_the_thread_that_it_is_in(
    thread: str | None, kept: str | None
) -> None:
    body = press(channel={"id": DIRECT, "name": "directmessage"})
    for part in ("message", "container"):
        body[part] = {**body[part], "thread_ts": thread}
    assert inbound(body).address == Address("slack", TEAM, DIRECT, kept)


def test_a_button_whose_value_was_too_long_says_its_label() -> None:
    assert inbound(press(1)).text == "L"


def test_a_button_in_a_whisper_stays_between_the_two_of_us() -> None:
    container = {"type": "message", "message_ts": "1.3", "is_ephemeral": True}
    found = inbound(press(container=container))
    assert found.address == Address("slack", TEAM, GENERAL, ANN)
    assert found.direct


def test_a_button_of_somebody_else_is_only_acknowledged() -> None:
    body = press()
    body["actions"][0]["action_id"] = "theirs"
    assert read(body).why == "unknown action"


# ---- coming, going, strangers, nonsense --------------------------------------------------


def test_being_invited_and_removed_is_noticed() -> None:
    assert inbound(EVENTS_OF.joined()).kind is Kind.JOINED
    assert read(EVENTS_OF.left()).left == GENERAL
    left = EVENTS_OF.left()
    left["event"]["user"] = "U0BO"
    assert read(left) == Read(why="membership")


def test_an_uninstalled_app_and_a_revoked_token_are_noticed() -> None:
    assert read(EVENTS_OF.uninstalled()).revoked
    revoked = EVENTS_OF.envelope({"type": "tokens_revoked", "tokens": {"bot": ["U0PARLEY"]}})
    assert read(revoked).revoked
    person = EVENTS_OF.envelope({"type": "tokens_revoked", "tokens": {"oauth": ["U0ANN"]}})
    assert not read(person).revoked


def test_strangers_in_a_shared_channel_are_told_by_their_organisation() -> None:
    asked = EVENTS_OF.mention("who earns what?")[1]
    event = {**asked["event"], "user_team": "T0THEIRS"}
    shared = {**asked, "event": event, "is_ext_shared_channel": True}
    ours = {**shared, "event": {**event, "user_team": TEAM}}

    def here(body: Json) -> Here:
        request = AsyncBoltRequest(body=body, mode="socket_mode")
        return here_of(body, request.context)

    assert here(shared) == Here(TEAM, external=True)
    assert read(shared, here=here(shared)).why == "external"
    assert here(ours) == Here(TEAM)
    assert here(press()) == Here(TEAM)
    stranger = {"id": "U0X", "team_id": "T0THEIRS"}
    assert here(press(user=stranger)).external


def test_every_event_that_the_manifest_asks_for_is_understood() -> None:
    for name in EVENTS:
        kind = name.partition(".")[0]
        found = read(EVENTS_OF.envelope({"type": kind, "channel": GENERAL, "user": ANN}))
        assert found.why != "unknown", name


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": "event_callback"},
        {"type": "event_callback", "event": []},
        {"type": "event_callback", "event": {"type": "message"}},
        {"type": "event_callback", "event": {"type": "message", "text": 7}},
        {"type": "event_callback", "event": {"type": "message", "user": "U1", "text": "x"}},
        {"type": "event_callback", "event": {"type": "message", "subtype": "message_deleted"}},
        {"type": "event_callback", "event": {"type": "message", "subtype": "message_changed"}},
        {"type": "event_callback", "event": {"type": "function_executed"}},
        {"type": "block_actions"},
        {"type": "block_actions", "user": {"id": "U1"}, "actions": []},
        {"type": 7},
        {"command": "/parley"},
        {"command": "/parley", "user_id": "U1", "channel_id": None, "trigger_id": "1"},
        {"type": "event_callback", "event": {"type": "unheard_of"}},
    ],
)
def test_nonsense_is_counted_and_never_raises(body: Json) -> None:
    found = read(body)
    assert found.inbound is None
    assert found.why


@pytest.mark.parametrize("ts", ["yesterday", "1e999", "-1e20", "nan"])
def test_an_impossible_time_is_nonsense(ts: str) -> None:
    assert read(said("x", ts=ts)) == Read(why="malformed")


def test_a_message_of_no_workspace_is_nonsense() -> None:
    assert read(said("x"), here=Here("")) == Read(why="malformed")
