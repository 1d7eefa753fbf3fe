"""What is wrong with a model's settings, in words that say where to mend it. Pure."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from bot.domain.sentences import Said
from bot.models.lenient import read
from bot.models.openai_errors import NO_FILES, NO_KEY, NO_PLACE

OF_KEY = Said("it refuses the key; set api_key", "它拒绝了密钥；请设置 api_key")
OF_FILES = Said(NO_FILES, "本进程不能再打开更多文件或连接；请提高它的上限（LimitNOFILE）")
_OF_CHARACTERS = Said(NO_KEY, "api_key 含有密钥中不会出现的字符")

# They are shown on an operator's terminal, and they are a stranger's words.
_NAME = re.compile(r"[\w.:@/+-]{1,60}", re.ASCII)
_SHOWN = 3


class _Entry(msgspec.Struct):
    id: str = ""
    owned_by: Any = None


class _List(msgspec.Struct):
    data: list[_Entry] | None = None
    object: Any = None
    has_more: Any = None


# Together sends the entries alone.
_decode = msgspec.json.Decoder(_List | list[_Entry]).decode


def of_silence(place: str) -> Said:
    """Nobody answers, or not in time; `place` is the setting that says where it is."""
    return Said(
        f"it does not answer; is {place} right, and is it running?",
        f"它没有回应；请检查 {place} 是否正确，以及它是否在运行",
    )


def of_refusal(error: Exception, place: str) -> Said | None:
    """What it refuses for good; None where that says nothing about the settings."""
    text = str(error)
    if "HTTP 401" in text or "HTTP 403" in text:
        return OF_KEY
    if text.endswith(NO_KEY):
        return _OF_CHARACTERS
    if text.endswith(NO_PLACE):
        return Said(f"{place} {NO_PLACE}", f"{place} 不是有效的地址")
    return None


def is_not_found(error: Exception) -> bool:
    """Whether there is no such page, or no such model."""
    return "HTTP 404" in str(error)


def of_not_found(place: str, model: str) -> Said:
    """Neither a list nor an answer is there; `model` is the setting that says what is asked for."""
    ending = (" (it often ends in /v1)", "（通常以 /v1 结尾）")
    of_place = ending if place == "base_url" else ("", "")
    return Said(
        f"it answers HTTP 404; are {place}{of_place[0]} and {model} right?",
        f"它返回 HTTP 404；请检查 {place}{of_place[1]} 和 {model} 是否正确",
    )


def of_list(content: bytes, model: str) -> Said | None:
    """A list of models without the one that is asked for; None where that cannot be told."""
    try:
        listed = read(_decode, content)
    except (msgspec.DecodeError, RecursionError):
        return None
    if isinstance(listed, list):
        listed = _List(listed)
    if not listed.data:
        # Ollama, before anything was pulled, has null for a list.
        return _of_nothing(model) if listed.object == "list" else None
    if listed.has_more or any(_is(entry.id, model) for entry in listed.data):
        return None
    # llama.cpp answers with the one model that it has loaded, whatever it is asked for.
    if [entry.owned_by for entry in listed.data] == ["llamacpp"]:
        return None
    return _of_others([entry.id for entry in listed.data], model)


def _is(id: str, model: str) -> bool:
    """Whether a name in a list is the one that is asked for.

    Ollama adds `:latest` to what has no tag, OpenRouter takes `:free` and the like behind a name,
    Gemini lists `models/…`, and LiteLLM lists patterns.
    """
    id, model = id.lower(), model.lower()
    names = {model, f"{model}:latest", model.partition(":")[0]}
    return id in names or id.rpartition("/")[2] in names or ("*" in id and fnmatchcase(model, id))


def _of_nothing(model: str) -> Said:
    return Said(
        f"it has no model yet; give it {model} (Ollama: ollama pull {model})",
        f"它还没有任何模型；请先添加 {model}（Ollama：ollama pull {model}）",
    )


def _of_others(ids: Sequence[str], model: str) -> Said:
    named = [id for id in ids if _NAME.fullmatch(id)]
    near = ", ".join((get_close_matches(model, named, _SHOWN, 0.4) or named)[:_SHOWN])
    return Said(
        f"it has no model {model}; set model to a name in its list" + (near and f": {near}"),
        f"它没有模型 {model}；请把 model 改为它列出的名称" + (near and f"：{near}"),
    )
