"""A platform made of lists as a configuration names it: `use: tests.journeys.listed`."""

from typing import Literal

from bot import Adapter, AdapterContext, AdapterSettings
from tests.engine.house import ListPlatform


class Settings(AdapterSettings):
    """How it is to behave."""

    drafts: Literal["off", "message", "fading"] = "off"


class Listed(ListPlatform):
    """Several of them are several accounts."""

    def __init__(self, name: str, drafts: str) -> None:
        super().__init__(name, drafts=drafts)
        self.account = name


def build(settings: Settings, context: AdapterContext) -> Adapter:
    """The adapter."""
    return Listed(context.name, settings.drafts)
