"""The engine put together from its parts: one sentence of constructors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.domain.message import Inbound
from bot.domain.patience import Patience
from bot.domain.records import Claim, Placement
from bot.engine.audience import Audience
from bot.engine.bells import Bells, RingingJournal
from bot.engine.commands import Command, command_of
from bot.engine.intake import Door, Intake
from bot.engine.lane import Lane
from bot.engine.outbox import AmbiguousPolicy, Delivering
from bot.engine.owned import Owned
from bot.engine.parts import Parts
from bot.engine.quarantine import Quarantine
from bot.engine.runner import Runner
from bot.engine.saying import Sayings
from bot.engine.sessions import Sessions
from bot.engine.signalling import Signalling
from bot.engine.taking import Limits, is_said
from bot.engine.toolbox import Toolbox
from bot.engine.tools import Tool
from bot.ports import Adapter, Clock, Codec, Hints, Observer, Patient, Store
from bot.recent import Recent

if TYPE_CHECKING:
    from aiohttp import ClientSession

MORE = 64
"""Conversations that are answered beyond `node_limit`, at least."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration says about the engine, in the engine's own words."""

    node: str
    lease: timedelta
    limits: Limits
    expires: timedelta
    hold: timedelta
    ambiguous: AmbiguousPolicy
    locale: str
    interrupts: bool
    polls: bool
    max_characters: int
    idle_of_adapter: Mapping[str, timedelta]
    roles: Mapping[tuple[str, str], frozenset[str]]
    node_limit: int = 4000
    only_own: bool = False
    """Whether it leaves to other nodes what was not accepted here."""

    @property
    def most(self) -> int:
        """Conversations that are answered at once.

        There is room for what could not be refused: an impatient platform's, and the word that we
        are busy.
        """
        return self.node_limit + max(MORE, self.node_limit // 4)


@dataclass(frozen=True, slots=True)
class Engine:
    """The parts that others hold on to."""

    runner: Runner
    door: Door
    sessions: Sessions
    toolbox: Toolbox
    patience: Mapping[str, Patience]
    hints: Hints
    signalling: Signalling | None
    owned: Owned | None

    async def signal(self) -> None:
        """Hear what other nodes have to say, until cancelled; at once where there are none."""
        if self.signalling is not None:
            runner = self.runner
            await self.signalling.run(
                obey=runner.obey, busy=lambda: runner.running > 0, hint=self.hints.hint
            )

    def intake(self, placement: Placement) -> Intake:
        """Where one adapter hands over what it receives."""
        patience = self.patience.get(placement.adapter, Patience.KEEPS)
        return Intake(self.door, placement, patience)


def build_engine(
    *,
    store: Store,
    codec: Codec,
    adapters: Mapping[str, Adapter],
    audiences: Mapping[str, Audience],
    tools: Mapping[str, Tool],
    rules: Rules,
    clock: Clock,
    observer: Observer,
    http: "Callable[[], ClientSession]",
    signalling: Signalling | None = None,
    hints: Hints | None = None,
) -> Engine:
    """Put the engine together; `audiences` holds the default one under "".

    `signalling` is None where this node is the only one; `hints` are the store's if not given.
    """
    sessions = Sessions(store, observer, idle_of_adapter=rules.idle_of_adapter, audiences=audiences)
    known_roles = frozenset({"operator"}).union(*rules.roles.values())
    toolbox = Toolbox(tools, clock=clock, observer=observer, known_roles=known_roles)
    bells = Bells()
    journal = RingingJournal(store, bells)
    sayings = Sayings(
        journal=journal,
        sessions=sessions,
        adapters=adapters,
        clock=clock,
        observer=observer,
        expires=rules.expires,
    )

    async def certain() -> None:
        await runner.certain()

    parts = Parts(
        inbox=store,
        lanes=store,
        journal=journal,
        history=store,
        erasure=store,
        upkeep=store,
        codec=codec,
        clock=clock,
        observer=observer,
        adapters=adapters,
        audiences=audiences,
        toolbox=toolbox,
        sessions=sessions,
        sayings=sayings,
        limits=rules.limits,
        expires=rules.expires,
        locale=rules.locale,
        interrupts=rules.interrupts,
        draining=lambda: runner.draining,
        sure=lambda: runner.sure,
        certain=certain,
        http=http,
        quarantine=Quarantine(clock),
        unrecorded=Recent(),
    )
    delivering = Delivering(
        *(store, adapters, clock, observer, rules.ambiguous, rules.locale),
        hold=rules.hold,
        certain=certain,
    )

    def make(claim: Claim) -> Lane:
        if signalling is not None and not runner.running:
            signalling.ring()  # an idle node looks for orders too seldom for one that runs a turn
        return Lane(parts, delivering, claim)

    def hail(tenant: str, inbound: Inbound) -> None:
        stops = command_of(inbound) is Command.STOP
        if signalling is not None and (stops or (rules.interrupts and is_said(inbound))):
            signalling.hail(tenant, inbound.address)

    hints = hints or store.hints(clock)
    if signalling is not None:
        hints.on_hint(signalling.ring)
    owned = Owned(store) if rules.only_own else None
    runner = Runner(
        lanes=store,
        claims=owned,
        hints=hints,
        make=make,
        name=rules.node,
        lease=rules.lease,
        clock=clock,
        observer=observer,
        polls=rules.polls,
        most=rules.most,
    )
    door = Door(
        inbox=store,
        lanes=store,
        slots=store,
        said=delivering.said,
        clock=clock,
        observer=observer,
        roles=rules.roles,
        max_characters=rules.max_characters,
        own=(lambda _: None) if owned is None else owned.add,
        wake=runner.wake,
        bells=bells,
        hail=hail,
        stop=runner.stop,
        ring=runner.ring,
        draining=lambda: runner.draining,
        waiting=lambda: runner.running,
        node_limit=rules.node_limit,
    )
    patience = {
        name: adapter.patience for name, adapter in adapters.items() if isinstance(adapter, Patient)
    }
    return Engine(runner, door, sessions, toolbox, patience, hints, signalling, owned)
