"""What a row asks of its world, and the configuration that each node gets for it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from tests.faults.driver import Habits
from tests.faults.platforms import ADAPTERS, Name, Platform
from tests.peers.process import Remote

Store = Literal["sqlite", "postgres"]
KEY = "fault-run-model-key"
PLUGINS = Path(__file__).with_name("plugins")
WINDOW = 40
"""Messages that the model is shown at most."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a row asks of its world."""

    row: str
    store: Store
    platform: Name = "telegram"
    """Where people write, to both bots."""
    nodes: int = 1
    talks: int = 8
    """Conversations with each bot."""
    seed: int = 1
    lease: float = 2.0
    within: float = 60.0
    """Seconds after its acceptance in which a message must have its outcome."""
    pause: float = 0.05
    ambiguous: Literal["repeat", "report"] = "repeat"
    reports: bool = False
    """Whether a sentence that says why there is no answer is expected at all."""
    least: float = 0.9
    """The part of the messages that must have an answer, and not only a sentence."""
    silence: float | None = None
    """Seconds of silence that the model is allowed; None: longer than any freeze of a node."""
    calm: bool = False
    """Whether nothing may run twice: no step is in flight when a node ends."""
    plugins: Sequence[str] = ("ledger",)
    proxied: bool = False
    """Whether each node reaches PostgreSQL through a proxy of its own."""
    addresses: Sequence[str] = ()
    """Where each node reaches PostgreSQL, when each has a line of its own there."""
    doored: bool = False
    """Whether each node reaches the model through a door that can be shut."""
    database: str = "parley.db"
    """SQLite's file, in the folder of the world."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """What PostgreSQL gives whoever connects to the database and asks for nothing else."""
    pooler: bool = False
    """Whether every node reaches PostgreSQL through PgBouncer, and in no other way."""
    space: Path | None = None
    """Where PostgreSQL is to keep the tables; its log stays where it is."""
    module: str = "bot"
    """What each node runs."""
    environ: Mapping[str, str] = field(default_factory=dict)
    """What it finds in its environment."""
    habits: Habits = field(default_factory=Habits)
    changes: Mapping[str, Any] = field(default_factory=dict)

    def leased(self, lease: float) -> "Plan":
        """The same with this lease; whoever waits for it is given the time for it."""
        return replace(self, lease=lease, within=self.within + LEASES * (lease - self.lease))

    @property
    def patience(self) -> float:
        """Seconds for which a turn may stand still: in the longest freeze nothing gives up."""
        return max(15.0, LEASES * self.lease)


LEASES = 4
"""So many leases an outcome may take longer: the longest freeze is three, the partition four."""


@dataclass(frozen=True, slots=True)
class Peers:
    """Whom the nodes speak to."""

    model: Remote
    bots: Mapping[str, Remote]
    platform: Platform


def config_of(plan: Plan, name: str, port: int, url: str, peers: Peers) -> dict[str, Any]:
    """One node's configuration; nodes differ by name, port and the name they give their model."""
    silence = plan.patience if plan.silence is None else plan.silence
    config: dict[str, Any] = {
        "server": {
            "port": port,
            "node": name,
            "public_url": "http://127.0.0.1:9",
            "grace": "25s",
        },
        "database": {"url": url, "lease": f"{plan.lease:g}s"},
        "log": {"format": "json"},
        "models": {
            "main": {
                "use": "openai",
                "model": name,
                "api_key": KEY,
                "base_url": f"{peers.model.url}/v1",
                "first_token": f"{silence:g}s",
                "gap": f"{silence:g}s",
            }
        },
        "answer": {"deadline": f"{2 * plan.patience:g}s"},
        "session": {"window": {"messages": WINDOW, "tokens": 100_000}},
        "outbox": {"ambiguous": plan.ambiguous},
        "adapters": {
            ADAPTERS[tenant]: {"tenant": ADAPTERS[tenant], **peers.platform.adapter(tenant, bot)}
            for tenant, bot in peers.bots.items()
        },
        "plugins": [{"use": str(PLUGINS / f"{plugin}.py")} for plugin in plan.plugins],
    }
    if plan.pooler:
        config["database"]["pooler"] = "transaction"
    for place, value in plan.changes.items():
        *above, key = place.split(".")
        section = config
        for one in above:
            section = section.setdefault(one, {})
        section[key] = value
    return config


def describe(plan: Plan, platform: Platform, folder: Path) -> None:
    """Write down for the judge what was asked for."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {
        "row": plan.row,
        "store": plan.store,
        "nodes": plan.nodes,
        "seed": plan.seed,
        "lease": plan.lease,
        "within": plan.within,
        "ambiguous": plan.ambiguous,
        "reports": plan.reports,
        "calm": plan.calm,
        "least": plan.least,
        "window": WINDOW,
        "platform": platform.name,
        "editing": list(platform.editing),
        "secrets": [KEY, *platform.secrets],
    }
    (folder / "run.json").write_text(json.dumps(told), encoding="utf-8")
