"""Who may be shown a tool and run it."""

import pytest

from bot.domain.model import ToolSpec
from bot.policy.admission import admitted, offered
from bot.policy.verdict import Allow, Ask, Refuse, Verdict

NOBODY: frozenset[str] = frozenset()
OPERATOR = frozenset({"operator"})


def spec(
    name: str = "now",
    *,
    private: bool = False,
    roles: frozenset[str] = NOBODY,
    needs_approval: bool = False,
) -> ToolSpec:
    return ToolSpec(
        name, "Says it.", {}, private=private, roles=roles, needs_approval=needs_approval
    )


def test_a_plain_tool_is_for_everyone_whose_audience_lists_it_or_lists_all() -> None:
    assert admitted(spec(), listed=None, roles=NOBODY) == Allow()
    assert admitted(spec(), listed=frozenset({"now"}), roles=NOBODY) == Allow()


def test_a_tool_that_the_audience_does_not_list_is_refused() -> None:
    verdict = admitted(spec(), listed=frozenset({"convert"}), roles=OPERATOR)
    assert isinstance(verdict, Refuse)
    assert verdict.reason == "now is not offered to this audience"


def test_a_tool_with_private_data_is_offered_only_where_it_is_named() -> None:
    private = spec("order_status", private=True)
    assert isinstance(admitted(private, listed=None, roles=OPERATOR), Refuse)
    assert admitted(private, listed=frozenset({"order_status"}), roles=NOBODY) == Allow()


@pytest.mark.parametrize(
    ("held", "verdict"),
    [
        (NOBODY, Refuse),
        (frozenset({"guest"}), Refuse),
        (OPERATOR, Allow),
        (frozenset({"guest", "operator"}), Allow),
    ],
)
def test_a_tool_with_roles_is_for_senders_who_hold_one(
    held: frozenset[str], verdict: type[Verdict]
) -> None:
    assert isinstance(admitted(spec(roles=OPERATOR), listed=None, roles=held), verdict)


def test_a_role_that_the_configuration_does_not_know_is_a_refusal_for_everybody() -> None:
    misspelt = spec(roles=frozenset({"operator", "operatr"}))
    verdict = admitted(misspelt, listed=None, roles=frozenset({"operator", "operatr"}))
    assert isinstance(verdict, Refuse)
    assert "operatr" in verdict.reason
    known = frozenset({"operator", "operatr"})
    assert admitted(misspelt, listed=None, roles=OPERATOR, known_roles=known) == Allow()


def test_a_tool_that_needs_approval_is_asked_about_once() -> None:
    refund = spec("refund", needs_approval=True)
    assert admitted(refund, listed=None, roles=NOBODY) == Ask()
    assert admitted(refund, listed=None, roles=NOBODY, approved=True) == Allow()


def test_where_nobody_can_be_asked_a_tool_that_needs_approval_is_refused() -> None:
    refund = spec("refund", needs_approval=True)
    assert isinstance(admitted(refund, listed=None, roles=NOBODY, can_ask=False), Refuse)
    assert admitted(refund, listed=None, roles=NOBODY, can_ask=False, approved=True) == Allow()


def test_approval_opens_nothing_that_role_or_audience_close() -> None:
    refund = spec("refund", needs_approval=True, roles=OPERATOR)
    assert isinstance(admitted(refund, listed=None, roles=NOBODY, approved=True), Refuse)
    unlisted = admitted(refund, listed=frozenset(), roles=OPERATOR, approved=True)
    assert isinstance(unlisted, Refuse)


def test_a_model_is_shown_what_would_not_be_refused_and_nothing_else() -> None:
    specs = (
        spec("now"),
        spec("refund", needs_approval=True),
        spec("order_status", private=True),
        spec("restart", roles=OPERATOR),
    )
    shown = offered(specs, listed=None, roles=NOBODY)
    assert [one.name for one in shown] == ["now", "refund"]
    shown = offered(specs, listed=None, roles=OPERATOR, can_ask=False)
    assert [one.name for one in shown] == ["now", "restart"]
