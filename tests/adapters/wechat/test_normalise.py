"""Callbacks of our own words: what they mean, and under which key."""

from datetime import UTC, datetime

import pytest

from adapters.wechat.normalise import Opens, Read, normalise
from bot import Audio, File, Image, Inbound, Kind, Text, Unknown
from tests.peers.wechat import ANN, APP_ID, ORIGINAL_ID


def read(kind: str = "text", **fields: str) -> Read:
    whole = {
        "ToUserName": ORIGINAL_ID,
        "FromUserName": ANN,
        "CreateTime": "1790000000",
        "MsgType": kind,
        **({} if kind == "event" else {"MsgId": "4711"}),
        **fields,
    }
    return normalise({name: value for name, value in whole.items() if value}, APP_ID, "zh")


def heard(kind: str = "text", **fields: str) -> Inbound:
    inbound = read(kind, **fields).inbound
    assert inbound is not None
    return inbound


def test_a_text_is_a_message_of_its_writer_alone() -> None:
    inbound = heard(Content="你好")
    assert str(inbound.address) == f"wechat:{APP_ID}:{ANN}"
    assert (inbound.sender.id, inbound.sender.locale) == (ANN, "zh")
    assert (inbound.event_key, inbound.message.platform_id) == ("4711", "4711")
    assert inbound.message.sent_at == datetime.fromtimestamp(1790000000, UTC)
    assert (inbound.direct, inbound.addressed, inbound.kind) == (True, True, Kind.MESSAGE)


def test_what_begins_with_a_slash_is_a_command() -> None:
    assert heard(Content="/new").kind is Kind.COMMAND


@pytest.mark.parametrize("number", ["", "0", "x", "-1", "９"])
def test_a_missing_message_id_is_never_one_that_another_message_could_have(number: str) -> None:
    one, same = read(Content="one", MsgId=number), read(Content="one", MsgId=number)
    other = read(Content="two", MsgId=number)
    assert one.key == same.key != other.key
    assert ANN in one.key
    assert one.inbound is not None
    assert one.inbound.message.platform_id is None


def test_events_of_one_second_are_different_by_their_kind_and_key() -> None:
    keys = {
        read("event", Event="CLICK", EventKey="A").key,
        read("event", Event="CLICK", EventKey="B").key,
        read("event", Event="VIEW", EventKey="A").key,
        read("event", Event="LOCATION").key,
        read("event", Event="LOCATION", CreateTime="1790000001").key,
    }
    assert len(keys) == 5


def test_a_voice_is_what_was_recognised_and_silent_without() -> None:
    part = heard("voice", MediaId="m", Format="amr", Recognition="早上好").message.parts[0]
    assert part == Audio("m", "audio/amr", "早上好")
    assert heard("voice", MediaId="m", Format="amr").text == ""


@pytest.mark.parametrize(
    ("kind", "fields", "part"),
    [
        ("image", {"MediaId": "m", "PicUrl": "http://p"}, Image("m")),
        ("video", {"MediaId": "m"}, File("m", "", "video/mp4")),
        ("shortvideo", {"MediaId": "m"}, File("m", "", "video/mp4")),
        ("link", {"Title": "T", "Url": "http://u"}, Text("T\nhttp://u")),
        (
            "location",
            {"Location_X": "1.5", "Location_Y": "2.5", "Label": "海珠区"},
            Text("📍 海珠区 (1.5, 2.5)"),
        ),
        ("location", {"Location_X": "1.5", "Location_Y": "2.5"}, Text("📍 1.5, 2.5")),
        ("miniprogrampage", {"Title": "T"}, Unknown("miniprogrampage", "{}")),
        ("telepathy", {}, Unknown("unknown", "{}")),
        ("text", {"Content": "【收到不支持的消息类型，暂无法显示】"}, Unknown("unsupported", "{}")),
    ],
)
def test_other_kinds_are_parts(kind: str, fields: dict[str, str], part: object) -> None:
    assert heard(kind, **fields).message.parts == (part,)


def test_an_empty_text_is_nothing() -> None:
    assert read(Content="").why == "empty"


def test_buttons_and_scans_are_routed_by_their_key() -> None:
    for event in ("CLICK", "SCAN", "scan"):
        inbound = heard("event", Event=event, EventKey="shop7")
        assert (inbound.kind, inbound.text) == (Kind.BUTTON, "shop7")
    assert read("event", Event="CLICK").inbound is None


def test_a_new_follower_is_noted_with_where_they_come_from() -> None:
    found = read("event", Event="subscribe", EventKey="qrscene_7")
    assert found.greets
    assert found.opens is Opens.TOUCH
    assert found.inbound is not None
    assert (found.inbound.kind, found.inbound.text) == (Kind.JOINED, "7")
    assert read("event", Event="unsubscribe").left


@pytest.mark.parametrize(
    "fields",
    [
        {"MsgType": ""},
        {"FromUserName": ""},
        {"CreateTime": ""},
        {"CreateTime": "soon"},
        {"CreateTime": "9" * 30},
        {"CreateTime": "-1"},
    ],
)
def test_what_has_no_form_is_malformed_and_raises_nothing(fields: dict[str, str]) -> None:
    assert read(Content="hello", **fields).why == "malformed"


def test_an_event_is_counted_by_name_only_where_the_name_is_known() -> None:
    assert read("event", Event="VIEW").why == "event view"
    assert read("event", Event="drop table").why == "unknown event"
    assert read("device_text").why == "device"
