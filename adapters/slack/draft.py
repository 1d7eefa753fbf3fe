"""Answers while they grow: a message that is edited until it says the whole."""

from collections.abc import Sequence

from adapters.slack.client import Client
from adapters.slack.failures import Declined
from adapters.slack.render import Rendered, first_part, growing, render
from bot import Activity, Flight, Outbound, Sent, Unfinishable

OPENING = "…"
STOPPED = "⏹"


def standing(channel: str, ts: str) -> Sent:
    """Where a message stands; an edit needs both."""
    return Sent(ts, (("channel", channel),))


def channel_of(sent: Sent, otherwise: str) -> str:
    """The channel of a message that was sent."""
    return dict(sent.extra).get("channel", otherwise)


class EditedDraft:
    """A message of ours in a channel or a direct chat."""

    def __init__(self, channel: str, ts: str, *, client: Client) -> None:
        self._channel = channel
        self._ts = ts
        self._client = client
        self._flight = Flight()
        self._shown: Rendered | None = None
        self._said = ""

    @property
    def sent(self) -> Sent | None:
        return standing(self._channel, self._ts)

    async def show(self, text: str, activities: Sequence[Activity] = ()) -> None:
        # What is too long goes into the next message, once the answer is whole.
        said = first_part(growing(text, activities))
        shown = render(said)
        if not said.strip() or shown == self._shown:
            return
        await self._client.pace.edit(self._channel, self._ts)
        await self._flight.carry(self._client.update(self._channel, self._ts, shown))
        self._shown, self._said = shown, said

    async def finish(self, piece: Outbound) -> Sent:
        rendered = render(piece.text, piece.choices, asked=piece.reply_to)
        try:
            await self._flight.last(lambda: self._put(rendered))
        except Declined as error:
            # Somebody deleted it meanwhile, or it can be posted and not be edited in.
            if error.is_gone or error.is_about_blocks or error.code == "msg_too_long":
                raise Unfinishable(error.code) from None
            raise
        return standing(self._channel, self._ts)

    async def abandon(self) -> None:
        """Nothing more will come: the unfinished text goes away."""
        await self._flight.landed()
        try:
            await self._client.delete(self._channel, self._ts)
        except Declined as error:
            if not error.is_gone:
                await self._put(render(f"{self._said} {STOPPED}".strip()))

    async def _put(self, rendered: Rendered) -> None:
        await self._client.pace.final(self._channel, self._ts)
        await self._client.update(self._channel, self._ts, rendered)
