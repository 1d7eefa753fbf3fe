"""What may be committed, and what the locks and the Makefile promise."""

import os
import re
import tomllib
from pathlib import PurePosixPath

import pytest

from tests.architecture.source import ROOT, sources, texts, tracked

LOCKS = ("requirements.lock", "requirements-dev.lock")
WORDS = ("run", "quick", "test", "check", "bench", "lock")

# Joined here, so that this file does not find itself.
HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("python" + "hosted", "org"),
        ("npmjs", "org"),
        ("npmmirror", "com"),
    )
)
MACHINE_PATHS = re.compile(r"(?<![\w.~-])/(?:work|root|home|Users)/[\w.-]")
NOTES = re.compile(
    r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK")) + r")\b"
)
UNFINISHED = "NotImplemented" + "Error"


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_address_and_hashes_every_pin(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index" not in text
    entries = re.split(r"\n(?=[\w.-]+(?:\[[\w,-]+\])?==)", text)
    assert all("--hash=sha256:" in entry for entry in entries)


def test_the_development_lock_holds_everything_of_the_other() -> None:
    run, dev = (_pins(name) for name in LOCKS)
    assert run.items() <= dev.items()


def test_every_dependency_and_the_build_backend_are_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    run, dev = (_pins(name).keys() for name in LOCKS)
    assert {_package(line) for line in (*project["dependencies"], *extras["build"])} <= run
    assert {_package(line) for line in extras["dev"]} <= dev
    assert "hatchling" in run


def test_no_file_names_a_registry_or_a_place_on_somebodys_machine() -> None:
    assert not [
        f"{name}:{number}: {line.strip()[:80]}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if any(host in line for host in HOSTS) or MACHINE_PATHS.search(line)
    ]


def test_nothing_is_left_unfinished() -> None:
    assert not [
        f"{name}:{number}: {line.strip()[:80]}"
        for name, text in texts()
        if name.endswith((".py", ".sh", ".js", ".css", ".html"))
        for number, line in enumerate(text.splitlines(), start=1)
        if NOTES.search(line) or UNFINISHED in line
    ]


def test_no_package_is_empty() -> None:
    packages = {PurePosixPath(s.path).parent for s in sources("*/__init__.py")}
    inhabited = {
        parent
        for name in tracked()
        if not name.endswith("__init__.py")
        for parent in PurePosixPath(name).parents
    }
    assert packages <= inhabited


def test_secrets_data_and_foreign_locks_stay_out() -> None:
    assert not {"config.yaml", ".env", "uv.lock"}.intersection(tracked())
    assert not [name for name in tracked() if name.startswith("data/") or name.endswith(".db")]


def test_the_makefile_has_the_promised_words() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(re.search(rf"^{word}: ##", makefile, re.MULTILINE) for word in WORDS)


def test_continuous_integration_requires_everything_and_runs_both_words() -> None:
    script = ROOT / ".ci" / "run"
    text = script.read_text(encoding="utf-8")
    assert os.access(script, os.X_OK)
    assert "PARLEY_REQUIRE=browser,postgres,fixtures" in text
    assert "make check" in text
    assert "make test" in text


def _pins(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==(\S+)", text, re.MULTILINE))


def _package(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found.group()).lower()
