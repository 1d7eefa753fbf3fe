"""`parley init`: a few questions, and a small file that answers them."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bot.errors import ConfigError

PLATFORMS = ("web", "telegram")

_WORDS = {
    "en": {
        "platform": "Where will people write? ({choices})",
        "token": "Telegram's token for your bot (write to @BotFather, /newbot)",
        "model": (
            "Which model answers? An OpenAI key, the address of a compatible server "
            "(http…), or nothing for none yet"
        ),
        "name": "What is the model called there? (such as qwen3)",
        "again": "That is not one of {choices}.",
        "bad_token": "A token has the form 123456789:AA…; copy the whole of it.",
        "bad_model": (
            "That is no key, and an address begins with http:// or https://, "
            "such as http://127.0.0.1:11434/v1."
        ),
        "bad_name": "Each model has a name at its server, and is asked for by it: write that.",
        "written": "{path} is written. Start with: {start}",
        "exists": "{path} is already there and stays as it is; name another with --config",
    },
    "zh": {
        "platform": "用户在哪里发消息？（{choices}）",
        "token": "您的 Telegram 机器人令牌（给 @BotFather 发送 /newbot 获得）",
        "model": "由哪个模型回答？填 OpenAI 密钥，或兼容服务的地址（http…），留空则暂不使用模型",
        "name": "那里的模型叫什么名字？（例如 qwen3）",
        "again": "请填写其中之一：{choices}。",
        "bad_token": "令牌的形式是 123456789:AA…，请完整复制。",
        "bad_model": (
            "这不是密钥；地址以 http:// 或 https:// 开头，例如 http://127.0.0.1:11434/v1。"
        ),
        "bad_name": "每个模型在服务中都有名字，请填写这个名字。",
        "written": "已写入 {path}。启动：{start}",
        "exists": "{path} 已经存在，保持原样；请用 --config 指定另一个文件",
    },
}


class Ask(Protocol):
    """Put a question to the operator; `secret` is typed unseen."""

    def __call__(self, question: str, *, default: str = "", secret: bool = False) -> str: ...


@dataclass(frozen=True, slots=True)
class Answers:
    """What `init` asks. `token` is the platform's, `model` a key, an address or nothing.

    `name` is what a model is called at such an address.
    """

    platform: str = "web"
    token: str = ""
    model: str = ""
    name: str = ""


def init(
    path: Path,
    ask: Ask,
    say: Callable[[str], None],
    *,
    locale: str = "en",
    start: str = "parley serve",
) -> None:
    """Ask, and write the file for its owner's eyes only; `start` is what starts a server with it.

    Raises:
        ConfigError: there is a file already; it is never overwritten.
    """
    words = _WORDS.get(locale, _WORDS["en"])
    if path.exists():
        raise ConfigError(words["exists"].format(path=path))
    text = minimal_file(_answers(ask, say, words), locale=locale)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConfigError(words["exists"].format(path=path)) from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    say(words["written"].format(path=path, start=start))


def minimal_file(answers: Answers, *, locale: str = "en") -> str:
    """The text of a configuration that does what was answered, and shows where to go on."""
    blocks = [
        "# Parley's configuration. Every setting with its default: config.example.yaml.\n"
        '# A value may come from the environment: "${NAME}".',
        f"locale: {locale}" if locale != "en" else "",
        _model_block(answers),
        _adapter_block(answers),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _answers(ask: Ask, say: Callable[[str], None], words: dict[str, str]) -> Answers:
    platform = _ask_until(
        lambda: ask(words["platform"].format(choices=", ".join(PLATFORMS)), default="web").lower(),
        lambda answer: answer in PLATFORMS,
        lambda: say(words["again"].format(choices=", ".join(PLATFORMS))),
    )
    token = ""
    if platform == "telegram":
        token = _ask_until(
            lambda: ask(words["token"], secret=True),
            lambda answer: bool(re.fullmatch(r"\d+:[\w-]{20,}|\$\{\w+\}", answer)),
            lambda: say(words["bad_token"]),
        )
    model = _ask_until(
        lambda: ask(words["model"], secret=True),
        lambda answer: _is_address(answer) or _is_key(answer),
        lambda: say(words["bad_model"]),
    )
    name = ""
    if _is_address(model):
        name = _ask_until(lambda: ask(words["name"]), bool, lambda: say(words["bad_name"]))
    return Answers(platform, token, model, name)


def _is_address(answer: str) -> bool:
    return bool(re.fullmatch(r"https?://[^\s/]\S*", answer))


def _is_key(answer: str) -> bool:
    """A key, the variable that holds one, or nothing: `localhost:11434/v1` was meant otherwise."""
    return bool(re.fullmatch(r"\$\{[^{}]+\}|[^\s/:.]*", answer))


def _ask_until(
    ask: Callable[[], str], good: Callable[[str], bool], complain: Callable[[], None]
) -> str:
    while not good(answer := ask().strip()):
        complain()
    return answer


def _model_block(answers: Answers) -> str:
    if not answers.model:
        return (
            "# Without a model Parley answers offline, with its plugins alone. To use OpenAI:\n"
            "#models:\n"
            "#  main:\n"
            "#    use: openai\n"
            '#    api_key: "${OPENAI_API_KEY}"'
        )
    if _is_address(answers.model):
        return _lines(
            "models:",
            "  main:",
            "    use: openai",
            f"    base_url: {_quoted(answers.model)}",
            f"    model: {_quoted(answers.name)}",
            "    # The key, if that server wants one.",
            '    #api_key: "${MODEL_API_KEY}"',
        )
    return _lines(
        "models:",
        "  main:",
        "    use: openai",
        "    model: gpt-5-mini",
        f"    api_key: {_quoted(answers.model)}",
    )


def _adapter_block(answers: Answers) -> str:
    web = ("  # The chat page, on this machine only.", "  web:", "    use: adapters.web")
    if answers.platform == "web":
        return _lines("adapters:", *web)
    return _lines(
        "adapters:",
        "  telegram:",
        "    use: adapters.telegram",
        f"    token: {_quoted(answers.token)}",
        *web,
    )


def _lines(*lines: str) -> str:
    return "\n".join(lines)


def _quoted(text: str) -> str:
    # A text in JSON's quotes is a text in YAML's.
    return json.dumps(text)
