"""Every recorded payload does what its index asks of a correct bot, over the real wire."""

from pathlib import Path

import aiohttp
import msgspec
import pytest

from adapters.wechat.api import Client
from adapters.wechat.envelope import fields_of
from adapters.wechat.normalise import Read, normalise
from bot import Audio, File, Image, Kind, Text
from tests.adapters.telegram.line import FastClock
from tests.adapters.wechat.line import Line, line, settings
from tests.fakes import until
from tests.peers.faults import answered
from tests.peers.wechat import APP_ID
from tests.peers.wechat_courier import Event

pytestmark = pytest.mark.fixtures

ACKNOWLEDGED = {
    "mp_device_event": "device",
    "mp_device_text": "device",
    "mp_event_ShakearoundUserShake": "event shakearoundusershake",
    "mp_event_VIEW": "event view",
    "mp_event_VIEW_2": "event view",
    "mp_event_WifiConnected": "event wificonnected",
    "mp_event_annual_renew": "event annual_renew",
    "mp_event_kf_create_session": "event kf_create_session",
    "mp_event_kf_switch_session": "event kf_switch_session",
    "mp_event_location_select": "event location_select",
    "mp_event_naming_verify_fail": "event naming_verify_fail",
    "mp_event_pic_sysphoto": "event pic_sysphoto",
    "mp_event_scancode_push": "event scancode_push",
    "mp_event_scancode_waitmsg": "event scancode_waitmsg",
    "mp_event_subscribe_msg_change_event": "unknown event",
    "mp_event_subscribe_msg_popup_event": "unknown event",
    "mp_event_subscribe_msg_sent_event": "unknown event",
    "mp_event_update_invoice_status": "event update_invoice_status",
    "mp_event_user_authorize_invoice": "event user_authorize_invoice",
    "work_event_add_schedule": "unknown event",
    "work_event_cancel_meeting_room": "unknown event",
    "work_event_delete_calendar": "unknown event",
    "work_event_modify_schedule": "unknown event",
}
STORED = ("mp_event_LOCATION", "work_event_LOCATION")
WELCOMED = {
    "mp_event_subscribe": "",
    "mp_event_subscribe_3": "scanbarcode|keystandard|keystr",
    "mp_event_subscribe_4": "scanimage|keystandard|keystr",
    "mp_event_subscribe_qrcode": "123123",
    "work_event_subscribe": "",
    "work_event_subscribe_2": "",
}
ROUTED = {
    "mp_event_CLICK_2": "EVENTKEY",
    "mp_event_SCAN_qrcode": "123123",
    "mp_event_SCAN_qrcode_2": "SCENE_VALUE",
}
SPOKEN = {
    "mp_voice": Audio("media_id", "audio/format"),
    "mp_voice_with_recognition": Audio("media_id", "audio/format", "Meow~"),
    "mp_image": Image("media_id"),
    "work_image": Image("media_id"),
    "work_video": File("media_id", "", "video/mp4"),
    "mp_location": Text("📍 位置信息 (23.134521, 113.358803)"),
    "work_location": Text("📍 位置信息 (23.134521, 113.358803)"),
}
# What the API answers: looked at one by one below, or of calls that we do not make.
ANSWERS = {
    *("api_message_custom_send", "api_token", "api_media_upload", "api_getcallbackip"),
    *("api_customservice_kfsession_create", "api_customservice_kfsession_getwaitcase"),
    "api_customservice_msgrecord_getmsglist",
}
SEALED = {"encrypted_message", "encrypted_reply_vector", "encrypted_url_echo"}


@pytest.fixture
def folder(shared: Path | None) -> Path:
    assert shared is not None, "tests marked `fixtures` run only where the recordings are"
    return shared / "fixtures" / "wechat"


def read(folder: Path, name: str) -> Read:
    text = (folder / f"{name}.xml").read_text(encoding="utf-8")
    return normalise(fields_of(text), APP_ID, "zh")


async def deliver(made: Line, folder: Path, name: str) -> str | None:
    """What is shown in reply; None for an acknowledgement, as nothing else is an answer."""
    xml = (folder / f"{name}.xml").read_text(encoding="utf-8")
    fields = fields_of(xml)
    made.peer.person(fields["FromUserName"])
    attempt = await made.post(made.peer.courier.signed(xml))
    assert attempt.status == 200
    if attempt.body == b"success":
        return None
    event = Event(fields["FromUserName"], xml, name)
    return made.peer.courier.read(event, attempt, account=fields["ToUserName"]).text


def test_every_recording_is_looked_at(folder: Path) -> None:
    assert {file.stem for file in folder.glob("*.xml")} == {
        *(*ACKNOWLEDGED, *STORED, *WELCOMED, *ROUTED, *SPOKEN)
    }
    assert {file.stem for file in folder.glob("*.json")} == ANSWERS | SEALED


async def test_these_are_acknowledged_counted_and_not_answered(folder: Path) -> None:
    async with line() as made:
        for name in ACKNOWLEDGED:
            assert await deliver(made, folder, name) is None, name
        assert made.facts("discarded", "why") == list(ACKNOWLEDGED.values())
        assert made.desk.deliveries == []


async def test_these_are_stored_and_not_answered(folder: Path) -> None:
    async with line() as made:
        for name in STORED:
            assert await deliver(made, folder, name) is None
        assert [inbound.kind for inbound in made.desk.inbounds] == [Kind.FEEDBACK]
        assert made.desk.texts == ["📍 23.137466, 113.352425"]


async def test_these_are_welcomed_once_each_and_carry_where_they_come_from(folder: Path) -> None:
    async with line(greeting="welcome") as made:
        for name in WELCOMED:
            assert await deliver(made, folder, name) == "welcome"
        assert {inbound.text for inbound in made.desk.inbounds} == set(WELCOMED.values())
        keys = [inbound.event_key for inbound in made.desk.inbounds]
        # Two of them are one event: the same person, second and key.
        assert len(keys) == len(set(keys)) == len(WELCOMED) - 1


async def test_these_are_routed_by_their_key(folder: Path) -> None:
    async with line() as made:
        for name, key in ROUTED.items():
            assert await deliver(made, folder, name) == f"re: {key}"
        assert {inbound.kind for inbound in made.desk.inbounds} == {Kind.BUTTON}


@pytest.mark.parametrize(("name", "part"), SPOKEN.items())
def test_these_are_messages(folder: Path, name: str, part: object) -> None:
    inbound = read(folder, name).inbound
    assert inbound is not None
    assert (inbound.kind, inbound.message.parts) == (Kind.MESSAGE, (part,))
    assert inbound.event_key == "1234567890123456"


async def test_recorded_answers_of_the_api_are_read(folder: Path) -> None:
    async with line() as made, aiohttp.ClientSession() as http:
        token = msgspec.json.decode((folder / "api_token.json").read_bytes())
        sent = msgspec.json.decode((folder / "api_message_custom_send.json").read_bytes())
        for name, body in (("stable_token", token), ("message/custom/send", sent)):
            made.peer.faults.plan(answered(name, 200, body), method=name)
        client = Client(settings(base_url=made.peer.url), lambda: http, FastClock())
        await client.send("o", {})
        await until(lambda: not made.peer.faults.waiting)
        assert client._token == token["access_token"]
