"""One piece on the wire: by the draft that stands there already, else as a message of its own."""

from contextlib import suppress
from dataclasses import replace

from bot.domain.conversation import Conversation
from bot.domain.message import Outbound, Sent
from bot.domain.records import OutboxRow
from bot.engine.delivering import Delivering
from bot.errors import Ambiguous, Held, Permanent, Unfinishable
from bot.ports import Adapter, Draft, Drafts


async def send(
    shared: Delivering, conversation: Conversation, row: OutboxRow, draft: Draft | None
) -> Sent:
    """Finish `draft`, or the one that a former holder has left; send where there is none.

    Raises:
        Unfinishable: the draft cannot become it, and nothing was sent.
        Held: no adapter of this name is configured, or what the platform says.
        Transient, Permanent, Ambiguous: as the adapter found it.
    """
    adapter = shared.adapters.get(conversation.adapter)
    if adapter is None:
        raise Held("its adapter is not configured")
    piece = addressed(shared.said(row, conversation.adapter), conversation)
    if draft is None and row.draft is not None:
        draft = await _taken_up(adapter, row, piece)
    if draft is not None:
        return await draft.finish(piece)
    try:
        return await _send_whole(shared, adapter, row, piece)
    except Unfinishable as error:
        # Where nothing grows, nothing is left to do instead.
        raise Permanent(str(error)) from None


async def _send_whole(
    shared: Delivering, adapter: Adapter, row: OutboxRow, piece: Outbound
) -> Sent:
    about = (row.conversation, row.turn, row.piece, row.repeats)
    if about not in shared.announced and (mark := shared.ahead(row, piece)) is not None:
        # Its end is not the piece's: that one would be given up for the sake of a word.
        with suppress(Ambiguous):
            await adapter.send(mark)
        shared.announced.put(about, None)
    return await adapter.send(piece)


async def _taken_up(adapter: Adapter, row: OutboxRow, piece: Outbound) -> Draft:
    drafts: object = adapter
    if not isinstance(drafts, Drafts):
        raise Unfinishable("no drafts here")
    try:
        return await drafts.draft(
            piece.address, turn=row.turn, reply_to=piece.reply_to, resume=row.draft
        )
    except Permanent as error:
        raise Unfinishable(str(error)) from None  # the answer is still owed


def addressed(piece: Outbound, conversation: Conversation) -> Outbound:
    """To where the conversation is now: the chat may have moved since the answer was made."""
    address = conversation.address
    return piece if piece.address == address else replace(piece, address=address)
