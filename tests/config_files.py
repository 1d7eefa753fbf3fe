"""Configuration files for tests, beside an adapter and a plugin of somebody else's."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from bot.configload import Loaded, load
from bot.errors import ConfigError

ADAPTER = '''
"""An adapter of somebody else's."""
from datetime import timedelta
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from bot.config import AdapterSettings, Section
from bot.units import ConfigPath, Span


class Retry(Section):
    attempts: int = 3


class Settings(AdapterSettings):
    token: SecretStr
    mode: Literal["polling", "webhook"] = "polling"
    stream: Literal["draft", "off"] = "draft"
    wait: Span = Field(default=timedelta(seconds=3), le=timedelta(minutes=1))
    routes: dict[str, Retry] = {}
    steps: tuple[Retry, ...] | None = None
    loud: bool = False
    certificate: ConfigPath | None = None
    note_file: str | None = None
    retry: Retry = Retry()

    @field_validator("token")
    @classmethod
    def has_colon(cls, token: SecretStr) -> SecretStr:
        if ":" not in token.get_secret_value():
            raise ValueError(f"{token.get_secret_value()} has no colon")
        return token
'''
PLUGIN = '"""A plugin of somebody else\'s."""\n'
ENTRIES = """
    adapters:
      mine: {use: ./mine.py, token: "1:abc"}
    plugins: []
"""


def write(folder: Path, text: str, name: str = "config.yaml") -> Path:
    """A configuration beside an adapter `mine.py` and a plugin `orders.py`."""
    (folder / "mine.py").write_text(ADAPTER, encoding="utf-8")
    (folder / "orders.py").write_text(PLUGIN, encoding="utf-8")
    path = folder / name
    path.write_text(dedent(text), encoding="utf-8")
    return path


def loaded(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Loaded:
    """Load a text to which an adapter is added when it names none."""
    text = dedent(text)
    if "adapters:" not in text:
        text += dedent(ENTRIES)
    return load(write(folder, text), environ or {}, folder)


def problems(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """What is wrong with a text."""
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text, environ)
    return caught.value.problems


def attribute(entry: object, name: str) -> object:
    """A key of a class that only exists in a file of this test."""
    found: object = getattr(entry, name)
    return found
