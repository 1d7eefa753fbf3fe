"""A platform: three members that it must have, and abilities that it is asked for."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from bot.domain.address import Address
from bot.domain.conversation import TurnId
from bot.domain.message import Outbound, Part, Sent
from bot.domain.patience import Patience
from bot.errors import Transient
from bot.ports.clock import Clock
from bot.ports.nodes import WaitingListeners
from bot.ports.observer import Observer
from bot.ports.receiving import ASGIApp, Receive
from bot.ports.store import Transcript

if TYPE_CHECKING:
    from aiohttp import ClientSession


@runtime_checkable
class Adapter(Protocol):
    """A platform that we can speak on."""

    @property
    def name(self) -> str: ...

    @property
    def platform(self) -> str: ...

    @property
    def account(self) -> str | None:
        """Our identity there, known without the network; None where each event names it."""
        ...

    def pieces(self, outbound: Outbound) -> Sequence[Outbound]:
        """Split an answer, purely: one piece is exactly one platform call."""
        ...

    async def send(self, piece: Outbound) -> Sent:
        """Deliver one piece.

        Raises:
            Transient: try later.
            Held: the platform takes it only after the person's next message.
            Ambiguous: it may have been shown.
            Permanent: never.
        """
        ...


@runtime_checkable
class Listens(Protocol):
    async def listen(self, receive: Receive) -> None:
        """Receive until cancelled (Socket Mode, long polling); raising means: restart me."""
        ...


@runtime_checkable
class Serves(Protocol):
    def asgi(self, receive: Receive) -> ASGIApp:
        """What the platform calls under /in/<name> (webhooks, web chat)."""
        ...


class ActivityState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Activity:
    """A tool call as a person may see it while an answer grows; result is "" until it is done."""

    tool: str
    arguments: str
    state: ActivityState
    result: str = ""


class Draft(Protocol):
    """An answer that is still growing on the person's screen."""

    @property
    def sent(self) -> Sent | None:
        """Where it stands; None where a draft is no message of its own."""
        ...

    async def show(self, text: str, activities: Sequence[Activity] = ()) -> None:
        """Show the whole text so far; returns at the platform's pace.

        Raises:
            Transient: not now. Permanent: this draft will not grow any more.
        """
        ...

    async def finish(self, piece: Outbound) -> Sent:
        """Make it the final message.

        Raises:
            Unfinishable: it cannot become it, and nothing was said: `Adapter.send` shall say it.
            Else what `Adapter.send` raises; a lost answer to an edit is Transient, for an edit can
            be made again.
        """
        ...

    async def abandon(self) -> None:
        """Close it with a mark, or delete it: nothing more will come."""
        ...


@runtime_checkable
class Patient(Protocol):
    """Says how patient its platform is; one that says nothing keeps what is refused."""

    @property
    def patience(self) -> Patience: ...


@runtime_checkable
class Looks(Protocol):
    """A platform whose watchers are not always known on the spot."""

    async def look(self, address: Address) -> None:
        """Find out whether somebody can see an answer grow there; then `watched` is asked."""
        ...


@runtime_checkable
class Leaves(Protocol):
    """A draft that wants to know when its turn goes on without this node."""

    def leave(self) -> None:
        """The turn is not ours any more: whoever has it now shows what there is to see."""
        ...


@runtime_checkable
class Drafts(Protocol):
    def draft_is_message(self, address: Address) -> bool:
        """True where opening a draft puts a message there that must be found again."""
        ...

    def watched(self, address: Address) -> bool:
        """Whether somebody can see an answer grow there now."""
        ...

    async def draft(
        self,
        address: Address,
        *,
        turn: TurnId,
        reply_to: str | None,
        resume: Sent | None,
        opening: str = "",
    ) -> Draft:
        """Open a draft, or take up the one that stands at `resume`.

        Where a draft is a message, `opening` is the first text of it.
        """
        ...


@runtime_checkable
class Finds(Protocol):
    """A platform on which what we said can be looked for."""

    async def find(self, piece: Outbound, since: datetime) -> Sent | None:
        """Where a piece stands whose sending was cut off, or None: it was not shown.

        Nothing of it was sent before `since`.

        Raises:
            Transient: ask again. Permanent: there nobody can tell.
        """
        ...

    async def find_draft(self, address: Address, turn: TurnId, since: datetime) -> Sent | None:
        """Where the draft of a turn stands whose opening was cut off. Raises: as `find`."""
        ...


@runtime_checkable
class Fetches(Protocol):
    async def fetch(self, part: Part) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Health:
    """What a probe found. `ok` false comes with a sentence that says what to do."""

    name: str
    ok: bool
    detail: str = ""
    checked_at: datetime | None = None


@runtime_checkable
class Probes(Protocol):
    async def probe(self) -> Health:
        """For `check`, metrics, status and console alike: one code path."""
        ...


@runtime_checkable
class Opens(Protocol):
    """Something with connections: opened before use, closed after."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...


Order = Callable[[Mapping[str, object]], AsyncGenerator[Mapping[str, object], None]]
"""What somebody at this machine asks of the running server: arguments in, events out.

It raises a `ParleyError` whose text they may read.
"""


@runtime_checkable
class TakesOrders(Protocol):
    def orders(self) -> Mapping[str, Order]:
        """By name ("chat.say"); the control socket hands them over."""
        ...


class Elsewhere(Protocol):
    """People who look at the same conversation on another node, and what they are told.

    A word is the adapter's own: nobody else reads it, and the same adapter on the other node is
    given it. All of it is decoration: a word may be lost, or come a second late.
    """

    def watch(self, address: Address, hear: Callable[[str], None]) -> Callable[[], None]:
        """Somebody looks at it here: what is told elsewhere is heard, until the returned call."""
        ...

    async def told(self) -> None:
        """Wait a moment until what was told here can be found on the other nodes."""
        ...

    async def look(self) -> None:
        """Wait a moment until what other nodes have told so far is known here."""
        ...

    def watched(self, address: Address) -> bool:
        """Whether somebody looks at it on another node, as far as is known here."""
        ...

    def grow(self, address: Address, word: str | None) -> None:
        """What has grown there so far, of which the newest is told; None: nothing grows."""
        ...

    def say(self, address: Address, word: str, *, lasting: bool = False) -> None:
        """Tell an event, each one and in order; a `lasting` one to who comes a moment late, too."""
        ...


@dataclass(frozen=True, slots=True)
class AdapterContext:
    """What an adapter is built with beside its own settings.

    `http` gives the process's one aiohttp session (open while the server runs). `loopback` is
    true while the server listens on loopback only. `secret` is `server.secret`, made once and
    kept when not configured. `model_configured` is false on the offline model.
    """

    name: str
    tenant: str
    audience: str
    locale: str
    public_url: str | None
    loopback: bool
    model_configured: bool
    clock: Clock
    http: "Callable[[], ClientSession]"
    secret: Callable[[], Awaitable[bytes]]
    transcript: "Transcript"
    listeners: "WaitingListeners"
    observer: "Observer"
    max_size: int = 1_000_000
    examples: Mapping[str, tuple[str, ...]] | None = None
    """What a person may ask here, by locale: shown on an empty page."""
    elsewhere: Elsewhere | None = None
    """The other nodes; None where this server is the only one."""
    sure: Callable[[], bool] = lambda: True
    """False once another node may have our turns: what then is said, may be said twice."""

    def must_be_sure(self) -> None:
        """Right before each call that shows something: a process may be frozen behind any wait.

        Raises:
            Transient: another node may have our turns, and have said this.
        """
        if not self.sure():
            raise Transient("another node may have said this by now")
