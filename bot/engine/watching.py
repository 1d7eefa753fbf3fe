"""Who looks at which conversation, here and on other nodes, and what those others are told."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.domain.address import Address, shard_of
from bot.domain.records import NewSignal, SignalKind
from bot.ports import Clock

GONE = 20.0
"""Seconds without a renewal after which nobody looks there any more: their node may have died."""

REMEMBERED = 5.0
"""Seconds that an event is kept for those of whom we hear a moment too late."""

LIVELY = 3.0
"""Seconds after something happened in which more is likely to."""

ABANDONED = 300.0
"""Seconds after which a text that grows no more is not shown to anybody new."""

OPENED, STILL, CLOSED = "opened", "still", "closed"

Hear = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Place:
    """A conversation's address, within its tenant."""

    tenant: str
    address: Address


@dataclass(slots=True)
class _Growing:
    """An answer that grows here, as far as it has come."""

    word: str
    at: float
    told: bool


class Watching:
    """The state of it; `Signalling` carries the words.

    `put` leaves a signal at once. Texts wait here until they are collected, so that only the
    newest of each leaves; `news` says that there is one. So do renewals, and who has left by then
    is not renewed. `stirred` says that it has become worth
    while to look often.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        put: Callable[[NewSignal], None],
        news: Callable[[], None],
        stirred: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._put = put
        self._news = news
        self._stirred = stirred
        self._here: dict[Place, Hear] = {}
        self._to_renew: deque[Place] = deque()
        self._there: dict[Place, dict[str, float]] = {}
        self._growing: dict[Place, _Growing] = {}
        self._said: deque[tuple[float, Place, str]] = deque()
        self._lively_until = 0.0

    # ---- for an adapter ------------------------------------------------------------------

    def watch(self, place: Place, hear: Hear) -> Callable[[], None]:
        """Somebody looks here; call what comes back when nobody does any more."""
        self._here[place] = hear
        self._put(_watcher(place, OPENED))
        self._stir()

        def close() -> None:
            if self._here.get(place) is hear:
                del self._here[place]
                self._put(_watcher(place, CLOSED))

        return close

    def watched(self, place: Place) -> bool:
        """Whether somebody looks on another node."""
        there = self._there.get(place)
        return there is not None and max(there.values()) > self._clock.monotonic()

    def grow(self, place: Place, word: str | None) -> None:
        """What has grown so far; None when nothing grows."""
        if word is None:
            self._growing.pop(place, None)
            return
        before = self._growing.get(place)
        growing = _Growing(word, self._clock.monotonic(), told=not self.watched(place))
        self._growing[place] = growing
        if not growing.told and (before is None or before.told):
            self._news()

    def say(self, place: Place, word: str, *, lasting: bool) -> None:
        """An event for everybody who looks there, and who comes soon."""
        now = self._clock.monotonic()
        while self._said and self._said[0][0] < now - REMEMBERED:
            self._said.popleft()
        if lasting:
            self._said.append((now, place, word))
        self._stir()
        if self.watched(place):
            self._put(NewSignal(SignalKind.SAID, place.tenant, place.address, word))

    # ---- for the road --------------------------------------------------------------------

    @property
    def shards(self) -> frozenset[int]:
        """Where something may be said that somebody here looks at."""
        return frozenset(shard_of(place.tenant, place.address) for place in self._here)

    @property
    def lively(self) -> bool:
        """Whether it is worth while to look often."""
        return bool(self._here) and self._clock.monotonic() < self._lively_until

    @property
    def here(self) -> bool:
        """Whether anybody looks at anything here."""
        return bool(self._here)

    def texts(self) -> Sequence[NewSignal]:
        """The newest of every text that somebody elsewhere has not got yet."""
        found = [(place, one) for place, one in self._growing.items() if not one.told]
        for _, one in found:
            one.told = True
        return [
            NewSignal(SignalKind.TEXT, place.tenant, place.address, one.word)
            for place, one in found
        ]

    def lost(self, texts: Sequence[NewSignal]) -> None:
        """These of `texts` were not left: the newest is to be collected again."""
        for text in texts:
            growing = self._growing.get(Place(text.tenant, text.address))
            if growing is not None:
                growing.told = False

    @property
    def has_texts(self) -> bool:
        """Whether `texts` would give any."""
        return any(not one.told for one in self._growing.values())

    def renew(self) -> None:
        """It is time to say that everybody who looks here still does.

        Those who are left of the last time come first: they are not to be the same ones for ever.
        """
        self._forget()
        if not self._to_renew:
            self._to_renew.extend(self._here)

    def renewals(self, most: int) -> Sequence[NewSignal]:
        """The next of them, so many at most."""
        found: list[NewSignal] = []
        while self._to_renew and len(found) < most:
            place = self._to_renew.popleft()
            if place in self._here:
                found.append(_watcher(place, STILL))
        return found

    @property
    def has_renewals(self) -> bool:
        """Whether `renewals` may give any."""
        return bool(self._to_renew)

    def hear(self, kind: SignalKind, place: Place, node: str, word: str) -> None:
        """What another node has left."""
        if kind is SignalKind.WATCHER:
            self._other(place, node, word)
        elif (hear := self._here.get(place)) is not None:
            self._stir()
            hear(word)

    def _other(self, place: Place, node: str, word: str) -> None:
        now = self._clock.monotonic()
        if word == CLOSED:
            there = self._there.get(place, {})
            there.pop(node, None)
            if not there:
                self._there.pop(place, None)
            return
        there = self._there.setdefault(place, {})
        # The word that it opened may have been lost, or come after this one.
        is_known = word == STILL and there.get(node, 0.0) > now
        there[node] = now + GONE
        if is_known:
            return
        for at, where, event in tuple(self._said):
            if where == place and at >= now - REMEMBERED:
                self._put(NewSignal(SignalKind.SAID, place.tenant, place.address, event))
        growing = self._growing.get(place)
        if growing is not None and growing.at > now - ABANDONED:
            growing.told = False
            self._news()

    def _forget(self) -> None:
        now = self._clock.monotonic()
        for place, there in tuple(self._there.items()):
            if max(there.values()) <= now:
                del self._there[place]
        for place, growing in tuple(self._growing.items()):
            if growing.at <= now - ABANDONED:
                del self._growing[place]

    def _stir(self) -> None:
        was_lively = self.lively
        self._lively_until = self._clock.monotonic() + LIVELY
        if self._here and not was_lively:
            self._stirred()


def _watcher(place: Place, word: str) -> NewSignal:
    return NewSignal(SignalKind.WATCHER, place.tenant, place.address, word)
