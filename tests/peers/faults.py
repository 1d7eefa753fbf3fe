"""What goes wrong with a call, on demand."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

import msgspec

Planned = TypeVar("Planned")
When = Callable[[str, Mapping[str, Any]], bool]


class Sees(StrEnum):
    """What the caller gets to see of a call that goes wrong."""

    ANSWER = "answer"
    """A whole HTTP answer, the one that the fault carries."""
    NOTHING = "nothing"
    """Silence, until the caller gives up or the fault's seconds have passed; then a cut."""
    CUT = "cut"
    """The connection closes without an answer."""
    LATE = "late"
    """The true answer, after the fault's seconds; without `effect` it takes effect only then."""
    TRICKLE = "trickle"
    """The fault's bytes as they stand, the fault's seconds from one to the next; then a cut."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to go wrong: whether the call still takes effect, and what its caller sees.

    An effect without an answer is the ambiguous case: the message is on the person's screen and
    the sender cannot know it.
    """

    name: str
    sees: Sees
    effect: bool = False
    status: int = 500
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    seconds: float | None = None


def answered(
    name: str, status: int, body: object, headers: Mapping[str, str] | None = None
) -> Fault:
    """An HTTP answer with a JSON body instead of the effect."""
    return Fault(
        name,
        Sees.ANSWER,
        status=status,
        body=msgspec.json.encode(body),
        headers=tuple((headers or {}).items()),
    )


def page(status: int = 502, text: str = "Bad Gateway") -> Fault:
    """What a proxy in front of the service says: HTML, whatever was asked."""
    html = f"<html><body><h1>{status} {text}</h1></body></html>"
    return Fault("page", Sees.ANSWER, status=status, body=html.encode(), content_type="text/html")


def picture(status: int = 200) -> Fault:
    """Nothing that could be an answer, and it says so."""
    body = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
    return Fault("picture", Sees.ANSWER, status=status, body=body, content_type="image/png")


def slow_head(seconds: float = 1.0) -> Fault:
    """An answer whose head never comes to its end: a byte, and after a while one more."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    return Fault("slow_head", Sees.TRICKLE, body=head, seconds=seconds)


def garbage(status: int = 200, *, effect: bool = False) -> Fault:
    """A body that announces JSON and is not."""
    return Fault("garbage", Sees.ANSWER, effect=effect, status=status, body=b'{"ok":true,"resu')


def hang(seconds: float | None = None, *, effect: bool = False) -> Fault:
    """The request is read and nothing comes back."""
    return Fault("hang", Sees.NOTHING, effect=effect, seconds=seconds)


def cut(*, effect: bool = False) -> Fault:
    """The connection closes before the effect, or after it when `effect` is set."""
    return Fault("cut", Sees.CUT, effect=effect)


def late(seconds: float) -> Fault:
    """Everything is right but slow."""
    return Fault("late", Sees.LATE, effect=True, seconds=seconds)


def slow(seconds: float) -> Fault:
    """The service is at work for so long and does it then, whether or not its caller waits."""
    return Fault("slow", Sees.LATE, seconds=seconds)


@dataclass(slots=True)
class _Plan(Generic[Planned]):
    fault: Planned
    method: str | None
    when: When | None
    left: int

    def fits(self, method: str, body: Mapping[str, Any]) -> bool:
        if self.method is not None and self.method.lower() != method.lower():
            return False
        return self.when is None or self.when(method, body)


class Faults(Generic[Planned]):
    """Faults in waiting; the oldest that fits a call is used up by it."""

    def __init__(self) -> None:
        self._plans: list[_Plan[Planned]] = []

    def plan(
        self,
        fault: Planned,
        *,
        method: str | None = None,
        when: When | None = None,
        times: int = 1,
    ) -> None:
        """Let the next `times` calls that fit go wrong like this."""
        self._plans.append(_Plan(fault, method, when, times))

    def take(self, method: str, body: Mapping[str, Any]) -> Planned | None:
        """The fault for this call, if one is waiting for it."""
        for plan in self._plans:
            if plan.fits(method, body):
                plan.left -= 1
                if plan.left <= 0:
                    self._plans.remove(plan)
                return plan.fault
        return None

    @property
    def waiting(self) -> int:
        """How many calls will still go wrong."""
        return sum(plan.left for plan in self._plans)

    def clear(self) -> None:
        """Everything works again."""
        self._plans.clear()


def holds(expected: Mapping[str, Any]) -> When:
    """True for a call whose body has at least these values."""

    def when(method: str, body: Mapping[str, Any]) -> bool:
        del method
        return all(body.get(key) == value for key, value in expected.items())

    return when
