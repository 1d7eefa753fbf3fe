"""The journal of turns on PostgreSQL: begun, stepped and finished in one statement each."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bot.domain.conversation import InboundId, Session, Step, Turn, TurnId
from bot.domain.message import Sent
from bot.domain.records import Claim, Finish, OutboxRow
from bot.errors import Fenced, Permanent
from bot.store import statements_postgres_turns as say
from bot.store.codec import (
    decode_inbound,
    encode_message,
    encode_outbound,
    encode_sent,
    encode_step,
    encode_turn,
)
from bot.store.lines import Line, Origin, lines_of
from bot.store.names import person_of
from bot.store.operating import subject_of
from bot.store.postgres_pool import Row
from bot.store.postgres_room import PostgresRoom, View, held, hold, plain
from bot.store.postgres_sql import shared
from bot.store.statements_operators import ADD_UNSURE, UNSURE
from bot.store.times import aware, to_micros
from bot.store.writing import outbox_rows_of, session_values


class PostgresJournal(PostgresRoom):
    async def start(self, claim: Claim, turn: Turn, session: Session) -> None:
        body, remembered = encode_turn(turn), session_values(session)
        view = await self._view(claim)
        values = {
            **remembered,
            **_turn_values(turn, view),
            "body": body,
            "sender": plain(turn.sender.id),
            "keeps": turn.keeps_question,
        }
        await self._write(claim, say.START, values)

    async def step(self, claim: Claim, turn: TurnId, step: Step, *, durable: bool) -> None:
        values = {"turn": turn, "n": step.n, "body": encode_step(step)}
        await self._write(claim, say.STEP if durable else say.HASTY_STEP, values)

    async def draft(self, claim: Claim, turn: TurnId, sent: Sent) -> None:
        await self._write(claim, say.DRAFT, {"turn": turn, "draft": encode_sent(sent)})

    async def skip(self, claim: Claim, done: Sequence[InboundId]) -> None:
        await self._write(claim, say.SKIP, {"done": list(done)})

    async def finish(self, claim: Claim, finish: Finish) -> Sequence[OutboxRow]:
        aware(*(message.sent_at for message in finish.messages))
        values = {
            **held(claim),
            **session_values(finish.session),
            **_ending_values(finish),
            "body": encode_turn(finish.turn),
        }
        for unsure in finish.unsure:
            # Beside the end, which is one statement; told once, however often that is tried.
            what = subject_of(claim.conversation, finish.turn.id, unsure)
            found = {"conversation": claim.conversation, "doing": UNSURE, "what": what}
            await self._pool.fetch(shared(ADD_UNSURE), found)
        with self._doubted(claim):
            lines, now = await self._end(claim, finish, values)
        self._windows.extend(claim.conversation, [line.message for line in lines])
        return outbox_rows_of(claim, finish, now)

    async def _end(
        self, claim: Claim, finish: Finish, values: Mapping[str, Any]
    ) -> tuple[Sequence[Line], int]:
        """What the transcript now holds, and when."""
        view = await self._view(claim)
        ends = [view.waiting[id] for id in (*finish.done, *finish.dead) if id in view.waiting]
        lines = lines_of(finish, ends, view.address)
        known = _turn_values(finish.turn, view)
        rows = await self._pool.fetch(
            say.FINISH, {**values, **known, **_line_values(lines), "edits": []}
        )
        now, edited = _outcome(rows, finish)
        if not edited:
            return lines, now
        return await self._end_with_edits(claim, finish, view, {**values, **known})

    async def _end_with_edits(
        self, claim: Claim, finish: Finish, view: View, values: Mapping[str, Any]
    ) -> tuple[Sequence[Line], int]:
        """The same where messages were edited, or recalled, while their turn ran."""
        ended = [*finish.done, *finish.dead]
        which = {"conversation": claim.conversation, "which": ended}
        async with self._pool.transaction() as transaction:
            await hold(transaction, claim)
            found = await transaction.fetch(say.EDITED, which)
            origins = sorted(map(_origin, found), key=lambda origin: ended.index(origin.id))
            lines = lines_of(finish, origins, view.address)
            edits = [origin.id for origin in origins if origin.amended is not None]
            rows = await transaction.fetch(
                say.FINISH, {**values, **_line_values(lines), "edits": edits}
            )
            now, _ = _outcome(rows, finish)
        return lines, now


def _outcome(rows: Sequence[Row], finish: Finish) -> tuple[int, bool]:
    """When it was written, and whether edits kept it from being written.

    Raises:
        Fenced: the lane has a newer holder, or none.
        Permanent: the turn has ended before.
    """
    if not rows:
        raise Fenced
    now, edited = rows[0]
    if now is None and not edited:
        raise Permanent(f"turn {finish.turn.id} has ended already")
    return now or 0, edited


def _origin(row: Row) -> Origin:
    id, event_key, platform_id, amended, body = row
    return Origin(id, event_key, platform_id, decode_inbound(body).message if amended else None)


def _turn_values(turn: Turn, view: View) -> dict[str, Any]:
    return {
        "turn": turn.id,
        "person": person_of(view.address, turn.sender),
        "state": turn.state.value,
        "draft": encode_sent(turn.draft),
    }


def _ending_values(finish: Finish) -> dict[str, Any]:
    approval, spent = finish.approval, finish.spent
    expires = [piece.expires_at for piece in finish.pieces]
    return {
        "done": list(finish.done),
        "dead": list(finish.dead),
        "sending": finish.sending_first,
        "piece_expires": [None if time is None else to_micros(time) for time in expires],
        "piece_body": [encode_outbound(piece) for piece in finish.pieces],
        "spent_rung": [one.rung for one in spent],
        "spent_input": [one.input for one in spent],
        "spent_output": [one.output for one in spent],
        "spent_cached": [one.cached for one in spent],
        "spent_calls": [one.calls for one in spent],
        "asks": None if approval is None else plain(approval.sender),
        "tool": None if approval is None else plain(approval.tool),
        "arguments": None if approval is None else plain(approval.arguments),
        "asks_until": None if approval is None else to_micros(approval.expires_at),
    }


def _line_values(lines: Iterable[Line]) -> dict[str, list[Any]]:
    names = ("said_seq", "said_person", "said_platform", "said_event", "said_at", "said_body")
    rows = [
        (
            line.message.id,
            line.person,
            _plain(line.message.platform_id),
            _plain(line.event_key),
            to_micros(line.message.sent_at),
            encode_message(line.message),
        )
        for line in lines
    ]
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    return {name: list(column) for name, column in zip(names, columns, strict=True)}


def _plain(text: str | None) -> str | None:
    return None if text is None else plain(text)
