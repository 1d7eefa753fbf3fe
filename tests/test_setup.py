"""`parley init` asks a few questions and leaves a file that works."""

from collections.abc import Callable
from pathlib import Path
from stat import S_IMODE

import pytest
from pydantic import SecretStr

from bot.config import OfflineSettings, OpenAISettings
from bot.configload import load
from bot.errors import ConfigError
from bot.setup import Answers, init, minimal_file

TOKEN = "123456789:AAabcdefghijklmnopqrstuvwxyz_-12345"


class Operator:
    """Answers questions in order and keeps what was asked and said."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, bool]] = []
        self.heard: list[str] = []

    def ask(self, question: str, *, default: str = "", secret: bool = False) -> str:
        self.asked.append((question, secret))
        return self._answers.pop(0) or default

    def hear(self, sentence: str) -> None:
        self.heard.append(sentence)


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    def write(operator: Operator, locale: str = "en") -> Path:
        path = tmp_path / "config.yaml"
        init(path, operator.ask, operator.hear, locale=locale)
        return path

    return write


def test_three_questions_make_a_file_for_its_owners_eyes_only(
    written: Callable[..., Path],
) -> None:
    operator = Operator("telegram", TOKEN, "sk-1")
    path = written(operator)
    assert [secret for _, secret in operator.asked] == [False, True, True]
    assert S_IMODE(path.stat().st_mode) == 0o600
    assert operator.heard == [f"{path} is written. Start with: parley serve"]


def test_the_file_loads_and_does_what_was_answered(written: Callable[..., Path]) -> None:
    path = written(Operator("telegram", TOKEN, "sk-1"))
    settings = load(path, {}, path.parent).settings
    main = settings.models["main"]
    assert isinstance(main, OpenAISettings)
    assert main.api_key == SecretStr("sk-1")
    assert list(settings.adapters) == ["telegram", "web"]
    assert settings.adapters["telegram"].model_dump()["token"] == SecretStr(TOKEN)


def test_the_web_needs_no_token_and_a_model_may_come_later(written: Callable[..., Path]) -> None:
    operator = Operator("", "")
    path = written(operator)
    assert len(operator.asked) == 2
    settings = load(path, {}, path.parent).settings
    assert list(settings.adapters) == ["web"]
    assert settings.models == {"main": OfflineSettings()}


def test_of_a_server_of_ones_own_the_models_name_is_asked_too(
    written: Callable[..., Path],
) -> None:
    operator = Operator("web", "http://127.0.0.1:11434/v1", "", "qwen3:8b")
    path = written(operator)
    assert [secret for _, secret in operator.asked] == [False, True, False, False]
    assert operator.heard[0].startswith("Each model has a name at its server")
    main = load(path, {}, path.parent).settings.models["main"]
    assert isinstance(main, OpenAISettings)
    assert (main.base_url, main.model) == ("http://127.0.0.1:11434/v1", "qwen3:8b")
    assert main.api_key is None


@pytest.mark.parametrize(
    "answer",
    [
        "localhost:11434/v1",
        "127.0.0.1:11434",
        "api.example.com",
        "http://",
        "https:/api.example.com/v1",
        "sk-1 and more",
        "$KEY.",
    ],
)
def test_what_is_neither_a_key_nor_an_address_is_asked_again(
    written: Callable[..., Path], answer: str
) -> None:
    operator = Operator("web", answer, "sk-proj_1")
    path = written(operator)
    assert operator.heard[0].startswith("That is no key, and an address begins with http")
    main = load(path, {}, path.parent).settings.models["main"]
    assert isinstance(main, OpenAISettings)
    assert main.api_key == SecretStr("sk-proj_1")
    assert answer not in path.read_text(encoding="utf-8")


def test_an_answer_may_name_a_variable(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(minimal_file(Answers("web", "", "${KEY}")), encoding="utf-8")
    main = load(path, {"KEY": "sk-2"}, tmp_path).settings.models["main"]
    assert isinstance(main, OpenAISettings)
    assert main.api_key == SecretStr("sk-2")


def test_a_wrong_answer_is_asked_again(written: Callable[..., Path]) -> None:
    operator = Operator("slac", "Telegram", "12", "${BOT_TOKEN}", "")
    path = written(operator)
    assert operator.heard[:2] == [
        "That is not one of web, telegram.",
        "A token has the form 123456789:AA…; copy the whole of it.",
    ]
    assert '"${BOT_TOKEN}"' in path.read_text(encoding="utf-8")


def test_a_file_that_is_there_stays_and_nothing_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("locale: zh\n", encoding="utf-8")
    operator = Operator()
    with pytest.raises(ConfigError, match="is already there and stays as it is"):
        init(path, operator.ask, operator.hear)
    assert path.read_text(encoding="utf-8") == "locale: zh\n"
    assert operator.asked == []


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    operator = Operator("", "")
    with pytest.raises(ConfigError, match="cannot be written: No such file or directory"):
        init(tmp_path / "gone" / "config.yaml", operator.ask, operator.hear)


def test_in_chinese_it_asks_in_chinese_and_writes_the_locale(
    written: Callable[..., Path],
) -> None:
    operator = Operator("", "localhost:1", "http://127.0.0.1:1/v1", "", "qwen3")
    path = written(operator, "zh")
    assert operator.asked[0][0] == "用户在哪里发消息？（web, telegram）"
    assert operator.asked[3][0] == "那里的模型叫什么名字？（例如 qwen3）"
    assert operator.heard[0].startswith("这不是密钥")
    assert operator.heard[1].startswith("每个模型在服务中都有名字")
    assert load(path, {}, path.parent).settings.locale == "zh"
