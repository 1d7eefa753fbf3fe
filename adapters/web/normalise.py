"""From what a page posts to what the engine takes, purely."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from adapters.web.render import STOP
from bot import Address, Inbound, Kind, Message, Role, Sender, Text

LANGUAGES = ("en", "zh")
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

Id = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Answer = Annotated[str, msgspec.Meta(pattern=r"^[0-9/]{1,64}$")]


class Posted(msgspec.Struct, frozen=True):
    """The body of a post. `id` is the page's own and the same when it tries again.

    `under` is the id of the answer whose button was pressed.
    """

    id: Id
    text: str = ""
    lang: str | None = None
    under: Answer | None = None


@dataclass(frozen=True, slots=True)
class Writer:
    """Who posts, where, when and in which language."""

    account: str
    visitor: str
    locale: str | None
    at: datetime

    @property
    def address(self) -> Address:
        """The visitor's own conversation; nobody else is in it."""
        return Address("web", self.account, self.visitor)


def posted(body: bytes) -> Posted | None:
    """Read a body; None where it is not what a page sends."""
    try:
        return msgspec.json.decode(body, type=Posted)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def message(post: Posted, writer: Writer) -> Inbound | None:
    """What was written; None where there is nothing in it."""
    # PostgreSQL keeps every character but this one
    text = post.text.replace("\0", "").strip()
    if not text:
        return None
    if text.startswith("/") and text[1:2].isalpha():
        return _inbound(post.id, text, writer, Kind.COMMAND)
    kind = Kind.MESSAGE if post.under is None else Kind.BUTTON
    return _inbound(post.id, text, writer, kind, under=post.under)


def stop(post: Posted, writer: Writer) -> Inbound:
    """The stop button: the command, under a key that a page does not show."""
    return _inbound(STOP + post.id, "/stop", writer, Kind.COMMAND)


def is_stop(inbound: Inbound) -> bool:
    """Whether it stops the answer that is being written, by the button or in words."""
    first, *_ = inbound.text.split(maxsplit=1)
    written = inbound.kind is Kind.MESSAGE
    return first.lower() == "/stop" or (written and inbound.text == "停止")


def locale_of(lang: str | None, accept: str) -> str | None:
    """The language chosen in the page, else the browser's first that we speak."""
    if lang in LANGUAGES:
        return lang
    for wish in accept.split(","):
        language = wish.split(";")[0].split("-")[0].strip().lower()
        if language in LANGUAGES:
            return language
    return None


def may_write(
    *, origin: str | None, site: str | None, host: str, public_url: str | None, loopback: bool
) -> bool:
    """Whether an unsafe request comes from our own page, or from no page at all.

    A page of another site can send requests with the visitor's cookie; it cannot choose Origin.
    On loopback the host must be this machine's name: a stranger's name may be made to point here.
    """
    try:
        public = urlsplit(public_url or "").netloc
        named = urlsplit(f"//{host}").hostname
        from_ = None if origin is None else urlsplit(origin).netloc
    except ValueError:
        return False
    if loopback and host != public and named not in LOOPBACK:
        return False
    if site not in {None, "same-origin", "none"}:
        return False
    return from_ is None or (from_ != "" and from_ in {host, public})


def _inbound(
    key: str, text: str, writer: Writer, kind: Kind, *, under: str | None = None
) -> Inbound:
    sender = Sender(writer.visitor, locale=writer.locale)
    message = Message(Role.USER, (Text(text),), sent_at=writer.at, sender=sender, platform_id=key)
    return Inbound(key, writer.address, sender, message, kind=kind, reply_to=under)
