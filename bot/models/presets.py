"""What providers of the OpenAI protocol want differently from one another."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from bot.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Preset:
    """One provider's dialect.

    `tokens` is the name of the output limit; `usage` whether `stream_options` may be sent;
    `echoes` whether a tool call has to be sent back with the reasoning that led to it.
    """

    name: str
    tokens: str = "max_tokens"
    usage: bool = True
    echoes: bool = False


# Reasoning models of OpenAI refuse `max_tokens`; few others know the newer name.
OPENAI = Preset("openai", tokens="max_completion_tokens")
PLAIN = Preset("plain")
# DeepSeek answers 400 to a tool call that comes back without its reasoning_content.
DEEPSEEK = Preset("deepseek", echoes=True)
# Moonshot's thinking models lose their thread within a turn without it.
MOONSHOT = Preset("moonshot", echoes=True)
# Mistral refuses unknown fields, stream_options among them, and counts unasked.
MISTRAL = Preset("mistral", usage=False)

PRESETS = {preset.name: preset for preset in (OPENAI, PLAIN, DEEPSEEK, MOONSHOT, MISTRAL)}

_DOMAINS = {
    "openai.com": OPENAI,
    "openai.azure.com": OPENAI,
    "deepseek.com": DEEPSEEK,
    "moonshot.cn": MOONSHOT,
    "moonshot.ai": MOONSHOT,
    "mistral.ai": MISTRAL,
}


def preset_for(base_url: str, name: str | None = None) -> Preset:
    """The named preset, or the one that belongs to the host of the base URL.

    Raises:
        ConfigError: there is no preset of this name.
    """
    if name is not None and name != "auto":
        if name not in PRESETS:
            known = ", ".join(["auto", *PRESETS])
            raise ConfigError(f"preset {name!r} is not known; use one of: {known}")
        return PRESETS[name]
    host = urlsplit(base_url).hostname or ""
    for domain, preset in _DOMAINS.items():
        if host == domain or host.endswith(f".{domain}"):
            return preset
    return PLAIN
