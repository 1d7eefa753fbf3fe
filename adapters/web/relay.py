"""The same visitor's pages on other nodes: what they are told, and what is heard from there."""

from collections.abc import Callable

import msgspec

from adapters.web.events import State
from adapters.web.render import Shown
from bot import Address, Elsewhere


class Grown(msgspec.Struct, frozen=True, tag="grown"):
    """A growing answer as it stands; `began` tells runs of one turn apart."""

    turn: str
    began: float
    text: str
    activities: tuple[Shown, ...] = ()


class Said(msgspec.Struct, frozen=True, tag="said"):
    """The end of a turn; `data` is the event with its message, if there is one."""

    turn: str
    data: str
    state: State


class Told(msgspec.Struct, frozen=True, tag="told"):
    """Any other event."""

    data: str


Word = Grown | Said | Told
_DECODER: msgspec.json.Decoder[Word] = msgspec.json.Decoder(Word)


class Relay:
    """Carries words between the hubs of one adapter on several nodes; `None`: there is one."""

    def __init__(self, account: str, elsewhere: Elsewhere | None) -> None:
        self._account = account
        self._elsewhere = elsewhere
        self._leaving: dict[str, Callable[[], None]] = {}

    @classmethod
    def to_nobody(cls) -> "Relay":
        """For a hub on the only node."""
        return cls("", None)

    def watch(self, chat: str, hear: Callable[[Word], None]) -> None:
        """A page is open here, the first one of this visitor."""
        if self._elsewhere is not None:
            self.leave(chat)
            self._leaving[chat] = self._elsewhere.watch(
                self._address(chat), lambda text: _read(text, hear)
            )

    def leave(self, chat: str) -> None:
        """The last page of this visitor is gone."""
        if (leave := self._leaving.pop(chat, None)) is not None:
            leave()

    async def told(self) -> None:
        """Wait until other nodes can know what was told here."""
        if self._elsewhere is not None:
            await self._elsewhere.told()

    async def look(self) -> None:
        """Wait until what other nodes told is known here."""
        if self._elsewhere is not None:
            await self._elsewhere.look()

    def watched(self, chat: str) -> bool:
        """Whether a page of this visitor is open on another node."""
        return self._elsewhere is not None and self._elsewhere.watched(self._address(chat))

    def grow(self, chat: str, word: Grown | None) -> None:
        """What grows here; None: nothing does."""
        if self._elsewhere is not None:
            text = None if word is None else _written(word)
            self._elsewhere.grow(self._address(chat), text)

    def say(self, chat: str, word: Said | Told) -> None:
        """What every page is told."""
        if self._elsewhere is not None:
            # Who comes a moment late finds what was accepted in the history
            lasting = isinstance(word, Said)
            self._elsewhere.say(self._address(chat), _written(word), lasting=lasting)

    def _address(self, chat: str) -> Address:
        return Address("web", self._account, chat)


def _written(word: Word) -> str:
    return msgspec.json.encode(word).decode()


def _read(text: str, hear: Callable[[Word], None]) -> None:
    try:
        word = _DECODER.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return  # a newer node's form, during an upgrade
    hear(word)
