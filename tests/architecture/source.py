"""The files of the repository, as text and as syntax trees."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# What a walk passes over where git cannot be asked (a source archive).
UNTRACKED = {".git", ".venv", "data", "build", "dist"}


@dataclass(frozen=True)
class Source:
    """One Python file of ours."""

    path: str
    tree: ast.Module

    def imports(self) -> Iterator[str]:
        """Every imported module by its dotted name, wherever the import stands."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (name.name for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                yield node.module

    def is_in(self, *patterns: str) -> bool:
        """Whether the path matches one of the patterns; a star passes slashes."""
        return any(fnmatch(self.path, pattern) for pattern in patterns)


@cache
def tracked() -> tuple[str, ...]:
    """Every file that is committed or waits to be, as a path from the root."""
    try:
        listing = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout
        names = [name for name in listing.split("\0") if name]
    except (OSError, subprocess.SubprocessError):
        names = list(_walk(ROOT))
    return tuple(sorted(name for name in names if (ROOT / name).is_file()))


@cache
def sources(*patterns: str) -> tuple[Source, ...]:
    """The Python files whose path matches one of the patterns."""
    return tuple(
        _source(name)
        for name in tracked()
        if name.endswith(".py") and any(fnmatch(name, pattern) for pattern in patterns)
    )


@cache
def _source(name: str) -> Source:
    return Source(name, ast.parse((ROOT / name).read_text(encoding="utf-8"), name))


def texts() -> Iterator[tuple[str, str]]:
    """Every tracked file that is text, with its path."""
    for name in tracked():
        raw = (ROOT / name).read_bytes()
        if b"\0" not in raw:
            yield name, raw.decode("utf-8")


def dotted(node: ast.expr) -> str:
    """`a.b.c` for a chain of names, else nothing."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := dotted(node.value)):
        return f"{before}.{node.attr}"
    return ""


def _walk(folder: Path) -> Iterator[str]:
    for path in sorted(folder.iterdir()):
        if path.name in UNTRACKED or path.name.endswith(("cache", "__pycache__")):
            continue
        if path.is_dir():
            yield from _walk(path)
        else:
            yield path.relative_to(ROOT).as_posix()
