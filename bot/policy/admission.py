"""Whether a tool may be shown to a model and run: one function, asked wherever either happens."""

from collections.abc import Iterable

from bot.domain.model import ToolSpec
from bot.policy.verdict import Allow, Ask, Refuse, Verdict

Listed = frozenset[str] | None
"""The names of the tools that an audience is offered; None: all that reach no private data."""

OPERATOR = frozenset({"operator"})
"""The role that every configuration knows."""


def admitted(
    spec: ToolSpec,
    *,
    listed: Listed,
    roles: frozenset[str],
    known_roles: frozenset[str] = OPERATOR,
    approved: bool = False,
    can_ask: bool = True,
) -> Verdict:
    """Decide about one tool for one sender.

    `listed` is what the audience is offered, `roles` are the sender's, `known_roles` all that
    the configuration speaks of. `approved` is true for a call that this sender has said yes to;
    `can_ask` is false where nobody can be asked (no way back to the person, a schedule).
    """
    if not _is_listed(spec, listed):
        return _refuse("tool_not_offered", spec, "is not offered to this audience")
    if unknown := spec.roles - known_roles:
        names = ", ".join(sorted(unknown))
        return _refuse("tool_not_allowed", spec, f"asks for a role that nobody can have: {names}")
    if spec.roles and not spec.roles & roles:
        names = " or ".join(sorted(spec.roles))
        return _refuse("tool_not_allowed", spec, f"is for senders with the role {names}")
    if spec.needs_approval and not approved:
        if can_ask:
            return Ask()
        return _refuse("tool_cannot_ask", spec, "needs a yes, and nobody can be asked here")
    return Allow()


def offered(
    specs: Iterable[ToolSpec],
    *,
    listed: Listed,
    roles: frozenset[str],
    known_roles: frozenset[str] = OPERATOR,
    can_ask: bool = True,
) -> tuple[ToolSpec, ...]:
    """The tools that a model may be shown: all that would not be refused."""
    return tuple(
        spec
        for spec in specs
        if not isinstance(
            admitted(spec, listed=listed, roles=roles, known_roles=known_roles, can_ask=can_ask),
            Refuse,
        )
    )


def _is_listed(spec: ToolSpec, listed: Listed) -> bool:
    # "all" was written by somebody who thought of clocks, not of customers' data.
    return not spec.private if listed is None else spec.name in listed


def _refuse(sentence: str, spec: ToolSpec, reason: str) -> Refuse:
    return Refuse(sentence, f"{spec.name} {reason}", (("tool", spec.name),))
