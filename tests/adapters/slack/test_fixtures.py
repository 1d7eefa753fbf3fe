"""Every recorded payload does what its index asks of a correct bot."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from slack_bolt.request.async_request import AsyncBoltRequest

from adapters.slack.dispatch import here_of, read_body
from adapters.slack.failures import Declined, failure_of
from adapters.slack.normalise import normalise
from adapters.slack.reading import Read
from adapters.slack.watch import Watch
from adapters.slack.webhook import Webhook
from adapters.slack.words import Me
from bot import Image, Inbound, Kind
from tests.adapters.slack.line import http, line, listen
from tests.asgi import Answered, Caller
from tests.fakes import EPOCH, FakeClock, RecordingObserver
from tests.peers.log import Json

pytestmark = pytest.mark.fixtures

# Who the bot is in these recordings: the self events are its, the mentions are of it.
US = frozenset({"W23456789"})
ME = Me(US, frozenset({"B111"}), names=US)

# Acknowledged, counted under this name, and nothing more.
SILENT = {
    "app_home_opened": "app_home_opened",
    "app_uninstalled": "app_uninstalled",
    "assistant_event_channel_message": "",  # in a thread: ours only if we take part
    "assistant_event_context_changed": "assistant_thread_context_changed",
    "assistant_event_message_changed_title": "service",
    "assistant_event_thread_started": "assistant_thread_started",
    "attachment_action_interactive_message": "interactive_message",
    "block_actions": "unknown action",
    "dialog_cancellation": "dialog_cancellation",
    "dialog_submission": "dialog_submission",
    "function_executed": "function",
    "global_shortcut": "shortcut",
    "member_joined_channel_other": "membership",
    "member_left_channel_self": "removed",
    "message_bot_message_classic": "bot",
    "message_channel_plain": "unaddressed",
    "message_channel_variant2": "unaddressed",
    "message_channel_variant3": "unaddressed",
    "message_file_share_2": "unaddressed",
    "message_thread_broadcast": "",
    "reaction_added": "reaction_added",
    "reaction_added_by_self": "reaction_added",
    "response_url_message_other_app": "bot",
    "sdk_im.created": "im_created",
    "sdk_rtm.start": "unknown",
    "socket_mode_block_actions_large": "unknown action",
    "socket_mode_message_channel": "unaddressed",  # it names somebody else
    "socket_mode_shortcut": "shortcut",
    "view_closed": "view_closed",
    "view_submission_response_urls": "view_submission",
}
KINDS = {
    "app_mention": Kind.MESSAGE,
    "app_mention_org_install": Kind.COMMAND,
    "app_mention_say_stream_org": Kind.MESSAGE,
    "app_mention_valid_events": Kind.MESSAGE,
    "im_message_no_thread": Kind.MESSAGE,
    "member_joined_channel_self": Kind.JOINED,
    "message_deleted": Kind.RECALLED,
    "slash_command": Kind.MESSAGE,
    "socket_mode_app_mention": Kind.COMMAND,
    "slash_command.form": Kind.MESSAGE,
    "socket_mode_slash_command": Kind.COMMAND,
}
NO_PAYLOADS = {
    "retry_headers",
    "sdk_web_response_api_test_false",
    "sdk_web_response_users_list_pagination",
    "sdk_web_response_users_list_pagination_1",
    "signature_vector",
    "slack_connect_grid_cases",
    "slack_connect_non_grid_cases",
    "socket_mode_disconnect_message",
    "socket_mode_hello_message",
}


@pytest.fixture
def folder(shared: Path | None) -> Path:
    assert shared is not None, "tests marked `fixtures` run only where the recordings are"
    return shared / "fixtures" / "slack"


def recording(folder: Path, name: str) -> Any:
    file = folder / f"{name}.json"
    if not file.exists():
        return read_body((folder / f"{name}.txt").read_bytes().strip())
    return msgspec.json.decode(file.read_bytes())


def payload(folder: Path, name: str) -> Json:
    """What Slack delivers; some recordings are the inner event alone, or a socket's envelope."""
    found: Json = recording(folder, name)
    if "envelope_id" in found:
        inner: Json = found["payload"]
        return inner
    is_event = name.startswith(("assistant_event", "im_message", "sdk_"))
    if is_event:
        return {"type": "event_callback", "event_id": "Ev1", "team_id": "T111", "event": found}
    return found


def read(folder: Path, name: str, me: Me = ME) -> Read:
    body = payload(folder, name)
    request = AsyncBoltRequest(body=body, mode="socket_mode")
    return normalise(body, here_of(body, request.context), me, EPOCH)


def inbound(folder: Path, name: str) -> Inbound:
    found = read(folder, name).inbound
    assert found is not None
    return found


def test_every_recording_is_looked_at(folder: Path) -> None:
    here = {file.stem for file in folder.iterdir() if file.name != "index.md"}
    assert here == {*SILENT, *KINDS, *NO_PAYLOADS}


@pytest.mark.parametrize(("name", "why"), SILENT.items())
def test_it_is_acknowledged_counted_and_not_answered(folder: Path, name: str, why: str) -> None:
    found = read(folder, name)
    if why:
        assert (found.inbound, found.why) == (None, why)
    else:
        assert found.follows
        assert found.inbound is not None
        assert not found.inbound.addressed


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_it_is_what_its_index_says(folder: Path, name: str, kind: Kind) -> None:
    assert inbound(folder, name).kind is kind


def test_a_mention_is_answered_in_its_thread_without_our_name(folder: Path) -> None:
    found = inbound(folder, "app_mention")
    assert (found.text, found.address.thread) == ("Hi there!", "1595926230.009600")
    assert found.event_key == "1595926230.009600"
    assert found.addressed


def test_a_mention_that_says_nothing_more_asks_no_model(folder: Path) -> None:
    for name in ("app_mention_org_install", "socket_mode_app_mention"):
        assert inbound(folder, name).text == "/help"


def test_an_organisations_installation_keeps_its_workspaces_apart(folder: Path) -> None:
    found = inbound(folder, "app_mention_org_install")
    assert found.address.account == "T111"
    assert inbound(folder, "app_mention_say_stream_org").address.account == "T111"


@pytest.mark.parametrize("kind", ["grid", "non_grid"])
def test_a_shared_channels_event_is_for_the_workspace_that_installed_us(
    folder: Path, kind: str
) -> None:
    for body, (_, team, _), (_, actor, _) in recording(folder, f"slack_connect_{kind}_cases"):
        request = AsyncBoltRequest(body=body, mode="socket_mode")
        here = here_of(body, request.context)
        assert here.team == (team or "")
        if body.get("is_ext_shared_channel") is True and actor is not None and team is not None:
            assert here.external == (actor != team), body


def test_a_removed_bot_knows_the_channel_and_an_uninstalled_one_that_it_is_gone(
    folder: Path,
) -> None:
    assert read(folder, "member_left_channel_self").left == "C111"
    assert read(folder, "app_uninstalled").revoked


def test_a_picture_in_a_direct_chat_would_come_with_its_words(folder: Path) -> None:
    body = payload(folder, "message_file_share_2")
    direct = {**body, "event": {**body["event"], "channel_type": "im"}}
    request = AsyncBoltRequest(body=direct, mode="socket_mode")
    found = normalise(direct, here_of(direct, request.context), ME, EPOCH).inbound
    assert found is not None
    assert found.text == "Here is your file!"
    assert found.message.parts[1] == Image("F111", "image/png")


def test_a_deletion_names_the_message(folder: Path) -> None:
    assert inbound(folder, "message_deleted").message.platform_id == "1665368619.804829"


def test_a_command_in_a_form_is_the_same_as_in_an_envelope(folder: Path) -> None:
    found = read(folder, "slash_command.form")
    assert found.inbound is not None
    assert (found.inbound.text, found.inbound.sender.name) == ("Hi", "primary-owner")
    assert found.reply_url == "https://hooks.slack.com/commands/T111/111/xxxxx"
    assert inbound(folder, "socket_mode_slash_command").text == "/help"


def test_a_no_with_a_200_is_a_no(folder: Path) -> None:
    raw = recording(folder, "sdk_web_response_api_test_false")
    assert isinstance(failure_of(200, {}, raw), Declined)
    for page in ("", "_1"):
        answer = recording(folder, f"sdk_web_response_users_list_pagination{page}")
        assert failure_of(200, {}, answer) is None


# ---- the signature vector ----------------------------------------------------------------


async def verified(
    vector: Json, *, seconds: int = 0, body: str | None = None, **headers: str | None
) -> tuple[Answered, RecordingObserver]:
    at = datetime.fromtimestamp(int(vector["timestamp"]) + seconds, UTC)
    observer = RecordingObserver()
    webhook = Webhook(
        "slack",
        secret=vector["signing_secret"].encode(),
        watch=Watch(),
        clock=FakeClock(at),
        observer=observer,
        max_size=10_000,
    )
    async with line(mode="http") as made:
        app = webhook.app(made.adapter._dispatcher(made.desk))
        given = {
            "x-slack-request-timestamp": vector["timestamp"],
            "x-slack-signature": vector["valid_signature"],
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        answered = await Caller(app).ask(
            "POST",
            "/",
            headers={name: value for name, value in given.items() if value is not None},
            body=[(body or vector["body"]).encode()],
        )
        assert made.desk.attempts == (1 if answered.status == 200 else 0)
    return answered, observer


async def test_the_recorded_signature_is_taken_while_it_is_fresh(folder: Path) -> None:
    vector = recording(folder, "signature_vector")
    for seconds in (0, 299, -299):
        assert (await verified(vector, seconds=seconds))[0].status == 200


async def test_everything_else_is_refused(folder: Path) -> None:
    vector = recording(folder, "signature_vector")
    refusals: list[tuple[str, dict[str, Any]]] = [
        ("stale", {"seconds": 301}),
        ("stale", {"seconds": -301}),
        ("signature", {"body": vector["body"] + "x"}),
        ("signature", {"x_slack_signature": None}),
        ("signature", {"x_slack_signature": "v0=ünsigned"}),
        ("unsigned", {"x_slack_request_timestamp": None}),
        ("unsigned", {"x_slack_request_timestamp": "soon"}),
    ]
    for why, changes in refusals:
        answered, observer = await verified(vector, **changes)
        assert answered.status == 401
        assert observer.named("rejected") == [{"adapter": "slack", "why": why}]


# ---- over the wire -----------------------------------------------------------------------


def payloads(folder: Path) -> Iterator[tuple[str, Json]]:
    for name in (*SILENT, *KINDS):
        yield name, payload(folder, name)


async def test_each_is_answered_200_and_kept_once_however_often_it_comes(folder: Path) -> None:
    headers = recording(folder, "retry_headers")
    retry = {name: value for name, value in headers.items() if isinstance(value, str)}
    async with http() as made:
        for name, body in payloads(folder):
            assert (await made.peer.post(body)).status == 200, name
        kept = len(made.desk.inbounds)
        for name, body in payloads(folder):
            assert (await made.peer.post(body, **retry)).status == 200, name
        assert len(made.desk.inbounds) == kept
        # The plain mention and its three relatives are one message; a joiner is not us here.
        assert kept == len({(str(i.address), i.event_key) for i in made.desk.inbounds})
        assert not made.observer.named("failed")
        assert not made.observer.named("rejected")


async def test_a_function_that_we_do_not_have_is_refused_with_its_own_token(folder: Path) -> None:
    async with http() as made:
        await made.peer.post(payload(folder, "function_executed"))
        await made.peer.wait_for(lambda: made.peer.methods.failed_functions)
        (failed,) = made.peer.methods.failed_functions
        assert failed["function_execution_id"] == "Fx111"


async def test_a_sockets_frames_are_acknowledged_and_its_goodbye_is_obeyed(folder: Path) -> None:
    kinds = ("app_mention", "block_actions_large", "message_channel", "shortcut", "slash_command")
    envelopes = [f"socket_mode_{kind}" for kind in kinds]
    async with line() as made:
        await made.adapter.open()
        listen(made)
        await made.peer.wait_for(lambda: made.peer.sockets.open)
        (socket,) = made.peer.sockets.open
        await socket.wire.send_json(recording(folder, "socket_mode_hello_message"))
        for name in envelopes:
            await socket.wire.send_json(recording(folder, name))
        await made.peer.wait_for(lambda: len(made.peer.sockets.acks) == len(envelopes))
        sent = {recording(folder, name)["envelope_id"] for name in envelopes}
        assert {ack["envelope_id"] for ack in made.peer.sockets.acks} == sent
        await socket.wire.send_json(recording(folder, "socket_mode_disconnect_message"))
        await made.peer.wait_for(lambda: made.peer.sockets.opened == 2)
