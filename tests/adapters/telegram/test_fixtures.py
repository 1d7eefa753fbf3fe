"""Every recorded payload does what its index asks of a correct bot."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.telegram.failures import Declined, Moved, failure_of
from adapters.telegram.mentions import Me
from adapters.telegram.normalise import Read, normalise
from bot import File, Image, Kind

pytestmark = pytest.mark.fixtures

ME = Me(666, "parley_bot")

SILENT = {
    "constructed_channel_post": "channel",
    "constructed_edited_channel_post": "channel",
    "constructed_group_mention_other_bot": "other bot",
    "message_channel_signed_forward": "unaddressed",
    "message_empty_message": "service",
    "message_forum_topic_message": "unaddressed",
    "message_gift": "channel",
    "message_giveaway": "channel",
    "message_shared_chat": "service",
    "update_chat_boost": "unknown",
    "update_chat_boost_removed": "unknown",
    "update_message_reaction_anonymous": "unknown",
    "update_my_chat_member": "blocked",
    "update_paid_media_purchased": "unknown",
    "update_pinned_message": "service",
    "update_unknown_update_kind": "unknown",
    "update_write_access_allowed": "service",
}
ANSWERED = (
    "constructed_callback_query_inaccessible_message",
    "constructed_callback_query_with_message",
    "constructed_duplicate_update_id",
    "constructed_group_text_mention",
    "message_effect_id",
    "message_media_group_item_forwarded",
    "message_photo",
    "message_photo_caption_above",
    "message_text",
    "message_venue",
    "message_video_forwarded",
    "update_telegrambots_full",
    "update_text_private",
)
MOVED = ("message_migrate_from", "message_migrate_to")


@pytest.fixture
def folder(shared: Path | None) -> Path:
    assert shared is not None, "tests marked `fixtures` run only where the recordings are"
    return shared / "fixtures" / "telegram"


def payload(folder: Path, name: str) -> dict[str, Any]:
    update: dict[str, Any] = msgspec.json.decode((folder / f"{name}.json").read_bytes())
    # One is the whole answer to getUpdates.
    return update["result"][0] if "result" in update else update


def read(folder: Path, name: str, me: Me = ME, **changes: Any) -> Read:
    return normalise(msgspec.json.encode({**payload(folder, name), **changes}), me)


def test_every_recording_is_looked_at(folder: Path) -> None:
    here = {file.stem for file in folder.glob("*.json")}
    assert here == {"api_error_response", *SILENT, *ANSWERED, *MOVED}


@pytest.mark.parametrize(("name", "why"), SILENT.items())
def test_it_is_acknowledged_counted_and_not_answered(folder: Path, name: str, why: str) -> None:
    found = read(folder, name)
    assert (found.inbound, found.why) == (None, why)
    assert found.update_id is not None


@pytest.mark.parametrize("name", ANSWERED)
def test_it_is_answered(folder: Path, name: str) -> None:
    inbound = read(folder, name).inbound
    assert inbound is not None
    assert inbound.addressed
    assert inbound.message.parts


@pytest.mark.parametrize("name", MOVED)
def test_the_history_moves_with_the_group(folder: Path, name: str) -> None:
    inbound = read(folder, name).inbound
    assert inbound is not None
    assert inbound.moved_to is not None
    assert (inbound.kind, inbound.address.chat[:4]) == (Kind.MOVED, "-599")
    assert inbound.moved_to.chat == "-1001555296434"


def test_a_channel_in_a_group_is_the_sender_that_it_shows(folder: Path) -> None:
    passed_on = payload(folder, "message_channel_signed_forward")["message"]
    said = {**passed_on, "forward_origin": None, "text": "/new"}
    inbound = read(folder, "message_channel_signed_forward", message=said).inbound
    assert inbound is not None
    assert inbound.sender.id == "-1001160242915"


def test_a_topic_is_answered_in_its_place(folder: Path) -> None:
    said = payload(folder, "message_forum_topic_message")["message"]
    inbound = read(folder, "message_forum_topic_message", message={**said, "text": "/new"}).inbound
    assert inbound is not None
    assert inbound.address.thread == "4"


def test_a_mention_by_id_is_taken_from_the_question(folder: Path) -> None:
    inbound = read(folder, "constructed_group_text_mention").inbound
    assert inbound is not None
    assert inbound.text == "在吗"


def test_pictures_come_in_their_largest_size_with_the_caption_as_the_question(folder: Path) -> None:
    bare = read(folder, "message_photo").inbound
    captioned = read(folder, "message_photo_caption_above").inbound
    assert bare is not None
    assert captioned is not None
    sizes = payload(folder, "message_photo")["message"]["photo"]
    assert bare.message.parts == (Image(sizes[-1]["file_id"]),)
    assert captioned.text == payload(folder, "message_photo_caption_above")["message"]["caption"]


def test_an_album_is_one_group_of_messages(folder: Path) -> None:
    inbound = read(folder, "message_media_group_item_forwarded").inbound
    assert inbound is not None
    assert inbound.album == "12543417770506682"
    assert isinstance(inbound.message.parts[0], File)


def test_a_message_out_of_reach_is_confirmed_and_left_alone(folder: Path) -> None:
    near = read(folder, "constructed_callback_query_with_message")
    far = read(folder, "constructed_callback_query_inaccessible_message")
    assert near.press
    assert far.press
    assert (near.pressed, far.pressed) == ("17", None)


def test_the_error_answer_is_read_with_its_parameters(folder: Path) -> None:
    error = failure_of(400, (folder / "api_error_response.json").read_bytes())
    assert isinstance(error, Moved)
    assert error.chat == 12345
    plain = failure_of(
        400, b'{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}'
    )
    assert isinstance(plain, Declined)
