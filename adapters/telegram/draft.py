"""Answers while they grow: drafts that fade in private chats, edited messages elsewhere."""

from collections.abc import Awaitable, Callable, Sequence

from adapters.telegram.client import Client
from adapters.telegram.failures import Declined
from adapters.telegram.marks import Rendered
from adapters.telegram.render import first_part, growing, keyboard, last_part, render
from bot import Activity, Clock, Flight, Outbound, Permanent, Sent, Transient, TurnId, Unfinishable

OPENING = "…"
RENEW_AFTER = 20.0
"""A draft fades 30 s after it was shown, however long the next word takes."""
LOOK_EVERY = 2.0
GIVE_UP_AFTER = 900.0
"""A draft that nobody has closed: its turn has died."""

Send = Callable[[Outbound], Awaitable[Sent]]


def draft_id_of(turn: TurnId) -> int:
    """The same for every run of a turn; never 0, which the platform refuses."""
    return turn % 2**31 or 1


class FadingDraft:
    """A private chat's draft: no message, so nothing to find again."""

    def __init__(
        self,
        place: tuple[int, int | None],
        turn: TurnId,
        *,
        client: Client,
        send: Send,
        clock: Clock,
        unsupported: Callable[[], None],
    ) -> None:
        self._chat, self._thread = place
        self._id = draft_id_of(turn)
        self._client = client
        self._send = send
        self._clock = clock
        self._unsupported = unsupported
        self._flight = Flight()
        self._opened_at = clock.monotonic()
        self._shown_at = self._opened_at
        self._shown: Rendered | None = None
        self._is_open = True

    @property
    def sent(self) -> Sent | None:
        return None

    @property
    def is_open(self) -> bool:
        """False once it was finished, abandoned or left, or has been forgotten by everybody."""
        return self._is_open and self._clock.monotonic() - self._opened_at < GIVE_UP_AFTER

    async def show(self, text: str, activities: Sequence[Activity] = ()) -> None:
        shown = last_part(render(growing(text, activities)))
        if shown == self._shown:
            return
        await self._client.pace.draft(self._chat)
        await self._put(shown)

    async def renew(self) -> None:
        """Show the same again where it would fade; the next text may take long."""
        rests = self._clock.monotonic() - self._shown_at
        if self._shown is not None and self.is_open and rests >= RENEW_AFTER:
            await self._client.pace.draft(self._chat)
            # The answer may have left while this waited for its turn.
            if self._is_open:
                await self._put(self._shown)

    async def finish(self, piece: Outbound) -> Sent:
        self._is_open = False
        await self._flight.landed()
        return await self._send(piece)

    async def abandon(self) -> None:
        self._is_open = False

    def leave(self) -> None:
        """Not renewed here any more: it would show again behind the answer of another run."""
        self._is_open = False

    async def _put(self, shown: Rendered) -> None:
        await self._flight.carry(self._call(shown))

    async def _call(self, shown: Rendered) -> None:
        try:
            await self._client.show_draft(self._chat, self._thread, self._id, shown)
        except Declined as error:
            if error.is_unknown_method:
                self._unsupported()
            raise
        self._shown, self._shown_at = shown, self._clock.monotonic()


class EditedDraft:
    """A message that is edited until it says the whole answer."""

    def __init__(self, chat: int, message: int, *, client: Client) -> None:
        self._chat = chat
        self._message = message
        self._client = client
        self._flight = Flight()
        self._shown: Rendered | None = None

    @property
    def sent(self) -> Sent | None:
        return Sent(str(self._message))

    async def show(self, text: str, activities: Sequence[Activity] = ()) -> None:
        # What is too long goes into the next message, once the answer is whole.
        shown = first_part(render(growing(text, activities)))
        if not shown.text or shown == self._shown:
            return
        await self._client.pace.edit(self._chat)
        await self._flight.carry(self._client.edit_text(self._chat, self._message, shown))
        self._shown = shown

    async def finish(self, piece: Outbound) -> Sent:
        if piece.attachments:
            raise Unfinishable("a text does not become a file")
        try:
            await self._flight.last(lambda: self._put(piece))
        except Declined as error:
            if not error.is_gone:
                raise
            # Somebody deleted it meanwhile.
            raise Unfinishable(error.reason) from None
        return Sent(str(self._message))

    async def _put(self, piece: Outbound) -> None:
        await self._client.pace.final(self._chat)
        await self._client.edit_text(
            self._chat, self._message, render(piece.text), buttons=keyboard(piece.choices)
        )

    async def abandon(self) -> None:
        """Nothing more will come: the unfinished text goes away."""
        await self._flight.landed()
        try:
            await self._client.delete(self._chat, self._message)
        except Declined as error:
            if not error.is_gone:
                await self._mark()

    async def _mark(self) -> None:
        said = self._shown.text if self._shown is not None else ""
        await self._client.edit_text(
            self._chat, self._message, first_part(Rendered(f"{said} ⏹".strip()))
        )


class Renewals:
    """Keeps the open drafts of one adapter from fading; one task for all of them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._drafts: set[FadingDraft] = set()

    @property
    def open(self) -> int:
        """How many drafts may have to be renewed."""
        return len(self._drafts)

    def keep(self, draft: FadingDraft) -> None:
        self._drafts.add(draft)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._clock.sleep(LOOK_EVERY)
            await self.look()

    async def look(self) -> None:
        """Renew what rests, forget what is closed."""
        self._drafts = {draft for draft in self._drafts if draft.is_open}
        for draft in tuple(self._drafts):
            try:
                await draft.renew()
            except Transient:
                continue  # it fades for a while; the next text brings it back
            except Permanent:
                self._drafts.discard(draft)
