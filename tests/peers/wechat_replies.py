"""What a server may put into the platform's call, read as strictly as the platform does."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass

from tests.peers.wechat_crypto import BadReply
from tests.peers.wechat_rules import TEXT_LIMIT


@dataclass(frozen=True, slots=True)
class Reply:
    """A text, or something by its media id."""

    text: str
    media: str = ""


def read_reply(text: str, *, openid: str, account: str) -> Reply:
    """The reply in this XML.

    Raises:
        BadReply: the person would read that the service is out of order.
    """
    try:
        root = ET.fromstring(text)
    except ET.ParseError as error:
        raise BadReply(f"no XML: {error}") from None
    names = [child.tag for child in root]
    if root.tag != "xml" or len(names) != len(set(names)):
        raise BadReply("no reply, or a field twice")
    found = {child.tag: child for child in root}
    if _text(found, "ToUserName") != openid or _text(found, "FromUserName") != account:
        raise BadReply("between the wrong two")
    if not _text(found, "CreateTime").isdigit():
        raise BadReply("no time")
    kind = _text(found, "MsgType")
    if kind == "text":
        said = _text(found, "Content")
        if not said.strip() or len(said.encode()) > TEXT_LIMIT:
            raise BadReply("empty or too long")
        return Reply(said)
    if kind in ("image", "voice"):
        media = found.get(kind.capitalize())
        id = None if media is None else media.findtext("MediaId")
        if not id:
            raise BadReply("no media")
        return Reply("", id.strip())
    raise BadReply(f"no such kind: {kind}")


def _text(found: dict[str, ET.Element], name: str) -> str:
    element = found.get(name)
    return "" if element is None else (element.text or "")
