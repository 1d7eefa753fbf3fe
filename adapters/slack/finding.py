"""What nobody knows: posts whose answer was lost, found again by the key that they carry."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from slack_sdk.web.async_slack_response import AsyncSlackResponse

from adapters.slack.web import SharedClient
from bot import Ambiguous, Clock, Permanent, Transient

Ask = Callable[[str, Awaitable[AsyncSlackResponse]], Awaitable[AsyncSlackResponse]]
"""Makes a call by the name of its method; without an answer nothing is lost."""

Doubt = tuple[str, str | None, str]
"""Channel, thread and key of a post whose answer was lost."""

EVENT_TYPE = "parley_answer"
"""The name under which a message carries the key of what it says."""
LOOKS = 2
LOOK_AGAIN = 1.0
"""How often, and after how many seconds, an unanswered post is looked for."""
_MARGIN = timedelta(seconds=120)
_KEPT = 1000


def carrying(key: str) -> dict[str, Any]:
    """What a message has to carry, so that it is found by its key."""
    return {"event_type": EVENT_TYPE, "event_payload": {"key": key}}


@dataclass(slots=True)
class _Kept:
    oldest: str
    is_told: bool = False
    """Whoever sends it again knows that it may be there twice, and marks it."""


class Finder:
    """Looks for posts, and remembers those that may still turn up."""

    def __init__(self, web: SharedClient, clock: Clock, ask: Ask) -> None:
        self.web = web
        self._clock = clock
        self._ask = ask
        self._doubtful: dict[Doubt, _Kept] = {}

    async def find(self, doubt: Doubt, since: datetime) -> str | None:
        """The `ts` of the message; None where there surely is none.

        Raises:
            Transient: Slack does not say now.
            Permanent: we may not read there, or too much was said since.
        """
        return await self._find(doubt, self.stamp(since))

    def stamp(self, at: datetime) -> str:
        """A time well before this one, by Slack's clock, in the form of its ids."""
        return f"{max((at + self.web.seen.ahead - _MARGIN).timestamp(), 0):.6f}"

    async def found_late(self, doubt: Doubt) -> str | None:
        """A post whose answer was lost may have landed after we looked for it.

        Raises:
            Transient: Slack does not say now: nothing was sent, and nothing may be.
            Ambiguous: it will never say, and whoever sends it again has to mark it.
        """
        kept = self._doubtful.get(doubt)
        if kept is None:
            return None
        try:
            ts = await self._find(doubt, kept.oldest)
        except Permanent as error:
            self.settled(doubt)
            if kept.is_told:
                return None
            raise Ambiguous(str(error)) from None
        if ts is not None:
            self.settled(doubt)
        return ts

    async def look_for(self, doubt: Doubt, oldest: str) -> str | None:
        """The `ts` of a post that was just not answered; None: nobody can say.

        Raises:
            Transient: it is not there: it may be sent again.
        """
        kept = self._keep(doubt, oldest)
        for look in range(LOOKS):
            if look:
                await self._clock.sleep(LOOK_AGAIN)
            try:
                ts = await self._find(doubt, oldest)
            except (Transient, Permanent):
                kept.is_told = True
                return None
            if ts is not None:
                self.settled(doubt)
                return ts
        raise Transient("no answer, and it is not in the conversation")

    def settled(self, doubt: Doubt) -> None:
        """Nothing about it is doubtful any more."""
        self._doubtful.pop(doubt, None)

    def _keep(self, doubt: Doubt, oldest: str) -> _Kept:
        if len(self._doubtful) >= _KEPT:
            self._doubtful.pop(next(iter(self._doubtful)))
        return self._doubtful.setdefault(doubt, _Kept(oldest))

    async def _find(self, doubt: Doubt, oldest: str) -> str | None:
        channel, thread, key = doubt
        wanted: dict[str, Any] = {
            "channel": channel,
            "oldest": oldest,
            "limit": 200,
            "include_all_metadata": True,
        }
        if thread is None:
            method, call = "conversations.history", self.web.conversations_history(**wanted)
        else:
            method = "conversations.replies"
            call = self.web.conversations_replies(ts=thread, **wanted)
        answer = await self._ask(method, call)
        found = answer.get("messages")
        for message in found if isinstance(found, list) else ():
            if _key_of(message) == key:
                return str(message.get("ts"))
        if not isinstance(found, list) or answer.get("has_more"):
            raise Permanent("more was said there than is looked through")
        return None


def _key_of(message: Any) -> str | None:
    match message:
        case {"metadata": {"event_type": str(kind), "event_payload": {"key": str(key)}}}:
            return key if kind == EVENT_TYPE else None
        case _:
            return None
