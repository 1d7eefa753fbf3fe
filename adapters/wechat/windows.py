"""How many messages each person can still be sent: the platform counts, and so do we."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.wechat.normalise import Opens
from bot import Clock

ALLOWED = {
    Opens.MESSAGE: (5, timedelta(hours=48)),
    # Following, scanning a code, pressing a menu's button.
    Opens.TOUCH: (3, timedelta(minutes=1)),
}
AFTER_REPLY = 1.0
"""Seconds between a reply and the message after it: they go by different ways to one screen."""
_MOST_PEOPLE = 20_000


@dataclass(slots=True)
class Window:
    """What one person's last deed allows: so many messages until then."""

    opened_at: datetime
    ends_at: datetime
    left: int
    by: Opens
    replied_at: float = -AFTER_REPLY

    def remaining(self, now: datetime) -> int:
        """Messages that may still go."""
        return self.left if now < self.ends_at else 0


class Windows:
    """The windows that this process has seen opening.

    Another node may have seen a newer one, and a restart forgets: what is unknown here is left
    to the platform, which answers 45015 or 45047 and shows nothing.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows: OrderedDict[str, Window] = OrderedDict()

    def open(self, openid: str, by: Opens, at: datetime | None = None) -> None:
        """A person did something; `at` is when by the platform's clock."""
        now = at or self._clock.now()
        known = self._windows.get(openid)
        # A touch adds three for a minute; they are not needed while a message's five last.
        spoke = known is not None and known.by is Opens.MESSAGE and known.remaining(now)
        if by is Opens.TOUCH and spoke:
            return
        count, lasts = ALLOWED[by]
        self._windows[openid] = Window(now, now + lasts, count, by)
        self._windows.move_to_end(openid)
        if len(self._windows) > _MOST_PEOPLE:
            self._windows.popitem(last=False)

    def left(self, openid: str) -> int | None:
        """Messages that may still go; None where this process cannot tell."""
        window, now = self._windows.get(openid), self._clock.now()
        if window is None:
            return None
        if window.by is Opens.TOUCH and now >= window.ends_at:
            # A restart may have forgotten the message whose two days last longer than the touch.
            return None
        return window.remaining(now)

    def replied(self, openid: str) -> None:
        """A call of theirs is being answered; that costs nothing."""
        window = self._windows.get(openid)
        if window is not None:
            window.replied_at = self._clock.monotonic()

    def pause(self, openid: str) -> float:
        """Seconds that a message should still wait, so that it does not overtake a reply."""
        window = self._windows.get(openid)
        if window is None:
            return 0.0
        return max(0.0, window.replied_at + AFTER_REPLY - self._clock.monotonic())

    def opened_at(self, openid: str) -> datetime | None:
        """When the window that is known here began."""
        window = self._windows.get(openid)
        return None if window is None else window.opened_at

    def spend(self, openid: str) -> None:
        """A message is about to go: counted first, so that two never share one place."""
        window = self._windows.get(openid)
        if window is not None:
            window.left -= 1

    def refund(self, openid: str) -> None:
        """It certainly was not shown."""
        window = self._windows.get(openid)
        if window is not None:
            window.left += 1

    def close(self, openid: str) -> None:
        """The platform says that nothing goes any more until the person writes."""
        now = self._clock.now()
        self._windows[openid] = Window(now, now, 0, Opens.MESSAGE)
        self._windows.move_to_end(openid)
