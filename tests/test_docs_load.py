"""What the pages about load and scaling claim is run, and `make load` measures what they name."""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from zlib import crc32

import pytest
import yaml

from bench.hold import figures
from bench.hold.__main__ import MEASURES
from bench.hold.figures import Figure
from bench.hold.plan import FLIGHT, HOUSES, LEASES, RATES, Kind, Sizes, rows
from bench.hold.watch import Watch
from bench.plan import Database
from bot.configload import load
from bot.domain.address import Address, shard_of
from bot.store import tables
from bot.store.postgres_pool import MOST

ROOT = Path(__file__).parents[1]
LOAD = (ROOT / "docs" / "load.md").read_text(encoding="utf-8")
SCALING = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")


def test_every_kind_of_row_is_explained_and_measured() -> None:
    explained = set(re.findall(r"^- \*\*(\w+)\*\*:", LOAD, re.MULTILINE))
    assert explained == {str(kind) for kind in Kind} == {str(kind) for kind in MEASURES}


def test_the_sizes_of_the_page_are_those_of_a_run() -> None:
    sizes = Sizes()
    for said in (
        f"a second for {sizes.accept_seconds:g} s",
        f"each answer takes {sizes.answer_seconds} s",
        f"for {sizes.soak_minutes:g} minutes",
        f"{sizes.backlog:,} messages wait",
        f"each for {sizes.lanes:,} conversations",
    ):
        assert said in LOAD
    assert (sizes.cut_off, sizes.kills, sizes.lease) == (20, 5, 15.0)


def test_what_the_issue_asks_for_has_its_row() -> None:
    names = {row.name for row in rows()}
    assert len(names) == len(list(rows()))
    houses = ("sqlite", "postgres-1", "postgres-3")
    assert names >= {f"accept {house} {rate}/s" for house in houses for rate in RATES}
    assert names >= {f"{kind} {house}" for kind in ("idle", "soak", "whole") for house in houses}
    assert names >= {"alone postgres-1", "alone postgres-2", "flight sqlite 500"}
    assert names >= {"accept sqlite 500/s", "flight postgres-3 2500"}
    assert names >= {"flight postgres-1 1000", *(f"takeover postgres-2 {n}s" for n in LEASES)}
    away = ("frozen", "cut off")
    assert names >= {f"takeover postgres-3 {how}" for how in away}
    events = ("killed", "frozen", "told to stop")
    assert names >= {f"takeover postgres-2 listener {event}" for event in events}
    assert names >= {"restart sqlite", "idle postgres-1 pooler", "stop postgres-2"}
    assert (len(HOUSES), FLIGHT[Database.SQLITE, 1]) == (3, 500)


def test_rows_are_chosen_by_all_their_words() -> None:
    assert [row.name for row in rows("postgres-3 accept 200/s")] == ["accept postgres-3 200/s"]


@pytest.mark.slow
def test_words_that_no_row_has_are_no_run_without_rows() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "bench.hold", "--only", "nonsense"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout.partition(" in its name")[0]) == (
        1,
        "no row has these words",
    )


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [
        (Figure("a", 50.1, "ms", most=50), "| ≤ 50 ms | OVER |"),
        (Figure("a", 50.0, "ms", most=50), "| ≤ 50 ms | ok |"),
        (Figure("a", 499.0, "/s", least=500), "| ≥ 500 /s | OVER |"),
        (Figure("a", 500.0, "/s", least=500), "| ≥ 500 /s | ok |"),
        (Figure("a", 1.0), "|  |  |"),
    ],
)
def test_a_missed_target_is_never_hidden(figure: Figure, verdict: str) -> None:
    assert figures.line("row", figure).endswith(verdict)


def test_a_run_is_added_below_the_others_with_its_date_and_machine(tmp_path: Path) -> None:
    page = tmp_path / "load.md"
    page.write_text("# Load\n\n## Runs\n\n### older\n", encoding="utf-8")
    at = datetime(2026, 11, 21, 12, 5, tzinfo=UTC)
    figures.write(page, ["| a |"], at=at, where=figures.machine(), how="every row")
    written = page.read_text(encoding="utf-8")
    assert "### older\n\n### 2026-11-21 12:05 UTC: every row\n\n" in written
    assert re.search(r"\d+ cores, \d+ GB", written)
    assert written.endswith("\n\n| a |\n")


def test_a_message_is_found_by_its_number_wherever_the_log_is_cut() -> None:
    watch = Watch()
    asked = (
        b'{"number":1,"kind":"request","mono":70,"wall":1,"call":1,"method":"chat","body":{"messages"'
        b':[{"content":"about number 000001, x"},{"content":"about number 1234567, x"}]}}\n'
    )
    for byte in asked:
        watch.model(bytes([byte]))
    assert (watch.first_asked, watch.open) == ({1234567: 70}, 1)
    again = asked.replace(b'"body":{', b'"body":{"model":"node2",')
    watch.model(again.replace(b'"mono":70', b'"mono":80'))
    assert (watch.last_asked, watch.asked_by) == ({1234567: 80}, {1234567: "node2"})
    watch.model(b'{"number":2,"kind":"outcome","mono":85,"wall":1,"call":2,"method":"chat"}\n')
    watch.model(b'{"number":2,"kind":"outcome","mono":90,"wall":1,"call":1,"method":"chat"}\n')
    shown = (
        b'{"number":1,"kind":"shown","mono":99,"wall":1,"chat":7,"text":"about number 000005"}\n'
    )
    watch.telegram(shown * 2)
    assert (watch.open, watch.most_open, watch.shown[5], watch.of_chat[7]) == (0, 2, 2, 2)
    watch.telegram(
        b'{"number":2,"kind":"request","mono":120,"wall":1,"call":4,"method":"getUpdates","body":{}}\n'
        b'{"number":3,"kind":"outcome","mono":130,"wall":1,"call":4,"method":"getUpdates"}\n'
    )
    assert watch.polled == [120]


def test_the_configuration_of_several_nodes_loads(tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", SCALING, re.DOTALL)
    path = tmp_path / "config.yaml"
    path.write_text(block, encoding="utf-8")
    environ = {"NODE": "one", "COOKIE_SECRET": "a" * 40, "DATABASE_PASSWORD": "secret"}
    settings = load(path, environ, ROOT).settings
    assert settings.server.node == "one"
    assert yaml.safe_load(block)["database"]["lease"] == "15s"


def test_the_shard_of_the_page_is_the_one_of_the_code() -> None:
    address = Address("telegram", "42", "7")
    (line,) = re.findall(r"^shard = (.*)$", SCALING, re.MULTILINE)
    assert line == r'crc32(f"{tenant}\0{address}".encode()) % 256'
    assert shard_of("default", address) == crc32(f"default\0{address}".encode()) % 256


def test_the_tables_that_can_be_spread_are_those_with_a_shard() -> None:
    (spread,) = re.findall(r"has the same shard: (.*?)\. A turn", SCALING, re.DOTALL)
    (others,) = re.findall(r"4\. (.*?) belong to no conversation", SCALING, re.DOTALL)
    every = tables.Row.metadata.tables
    with_shard = {name for name, table in every.items() if "shard" in table.c}
    assert set(re.findall(r"`(\w+)`", spread)) == with_shard
    # What every server has of its own is left out.
    named = set(re.findall(r"`(\w+)`", others))
    assert named == set(every) - with_shard - {"node", tables.SchemaRow.__tablename__}


def test_a_node_opens_as_many_connections_as_the_page_says() -> None:
    assert f"at most {MOST} connections,\n  one for its lease and one that listens" in SCALING


@pytest.mark.slow
def test_a_row_is_measured_on_the_running_program() -> None:
    words = ("--quick", "--only", "accept sqlite 100/s")
    ran = subprocess.run(
        [sys.executable, "-m", "bench.hold", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    head, _, *lines = ran.stdout.splitlines()
    assert {line.count("|") for line in lines} == {head.count("|")}
    assert lines[-1] == "| accept sqlite 100/s | answered once | 400 | ≥ 400 | ok |"
