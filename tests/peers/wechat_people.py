"""The people who follow the account: what they see, and what may still be sent to them."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.peers.log import Json, Log
from tests.peers.wechat_rules import (
    MESSAGE_QUOTA,
    TEXT_LIMIT,
    TOUCH_QUOTA,
    TYPING_WITHIN,
    Refusal,
    Window,
)

UNAVAILABLE = "该公众号提供的服务出现故障,请稍后再试"
"""What a person reads when nobody answers in time, or with nonsense."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Something on a person's screen; `by` is reply, message or platform."""

    text: str
    by: str
    at: float
    media: str = ""


@dataclass(slots=True)
class Person:
    """One follower."""

    openid: str
    follows: bool = True
    screen: list[Shown] = field(default_factory=list)
    window: Window | None = None
    wrote_at: float | None = None
    typing_since: float | None = None
    typings: int = 0


class People:
    """Everybody who was ever there."""

    def __init__(self, log: Log, *, may_send: bool) -> None:
        self.may_send = may_send
        self._log = log
        self._people: dict[str, Person] = {}

    def now(self) -> float:
        """Seconds of the peer's time."""
        return self._log.now() / 1_000_000

    def note(self, openid: str) -> Person:
        """This person, met for the first time or again."""
        return self._people.setdefault(openid, Person(openid))

    def did(self, openid: str, kind: str) -> None:
        """A deed opens a window; a message of theirs ends the typing."""
        person = self.note(openid)
        now = self.now()
        count, seconds = MESSAGE_QUOTA if kind == "message" else TOUCH_QUOTA
        open_still = person.window is not None and now < person.window.ends_at
        if kind == "message" or not open_still:
            person.window = Window(count, now + seconds)
        if kind == "message":
            person.wrote_at = now
            person.typing_since = None

    def show(self, openid: str, text: str, by: str, media: str = "") -> None:
        """Put it on the screen."""
        person = self.note(openid)
        person.typing_since = None
        person.screen.append(Shown(text, by, self.now(), media))
        self._log.write("shown", openid=openid, text=text, by=by, media=media)

    # -- the methods that reach people -------------------------------------------------------

    def send(self, body: Json) -> Json:
        """custom/send. Raises: Refusal."""
        person = self._reachable(body)
        readers: dict[str, Callable[[Json], tuple[str, str]]] = {
            "text": _text_of,
            "image": _media_of("image"),
            "voice": _media_of("voice"),
        }
        read = readers.get(str(body.get("msgtype")))
        if read is None:
            raise Refusal(40008)
        text, media = read(body)
        if person.window is None:
            raise Refusal(45015)
        person.window.check(self.now())
        person.window.left -= 1
        self.show(person.openid, text, "message", media)
        return {"errcode": 0, "errmsg": "ok"}

    def typing(self, body: Json) -> Json:
        """custom/typing. Raises: Refusal."""
        person = self._reachable(body)
        now = self.now()
        if body.get("command") not in ("Typing", "CancelTyping"):
            raise Refusal(45072)
        if body["command"] == "CancelTyping":
            person.typing_since = None
            return {"errcode": 0, "errmsg": "ok"}
        if person.wrote_at is None or now - person.wrote_at > TYPING_WITHIN:
            raise Refusal(45080)
        if person.typing_since is not None and now - person.typing_since < 15:
            raise Refusal(45081)
        person.typing_since = now
        person.typings += 1
        return {"errcode": 0, "errmsg": "ok"}

    def _reachable(self, body: Json) -> Person:
        if not self.may_send:
            raise Refusal(48001)
        person = self._people.get(str(body.get("touser")))
        if person is None:
            raise Refusal(40003)
        if not person.follows:
            raise Refusal(43004)
        return person


def _text_of(body: Json) -> tuple[str, str]:
    text = str((body.get("text") or {}).get("content") or "")
    if not text.strip():
        raise Refusal(44004)
    if len(text.encode()) > TEXT_LIMIT:
        raise Refusal(45002)
    return text, ""


def _media_of(kind: str) -> Callable[[Json], tuple[str, str]]:
    def read(body: Json) -> tuple[str, str]:
        media = str((body.get(kind) or {}).get("media_id") or "")
        if not media:
            raise Refusal(40007)
        return "", media

    return read
