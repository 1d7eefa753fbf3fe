"""What the terminal itself says to a person, in English and Chinese."""

from collections.abc import Mapping

_CATALOGUE: Mapping[str, tuple[str, str]] = {
    "welcome": (
        "You are {chat}. Write a message; /help lists commands, Ctrl-D leaves.",
        "您是 {chat}。请输入消息；/help 列出命令，Ctrl-D 退出。",
    ),
    "no_model": (
        "No language model is configured; I answer with the installed plugins alone. "
        "To add one: parley init, or `models` in the configuration.",
        "尚未配置语言模型，目前只用已安装的插件回答。"
        "添加方法：parley init，或在配置中填写 models。",
    ),
    "earlier": ("earlier", "之前"),
    "you": ("you", "您"),
    "leaving": ("Press Ctrl-C again to leave.", "再按一次 Ctrl-C 退出。"),
    "stopping": ("stopping …", "正在停止……"),
    "interrupted": ("(interrupted)", "（已中断）"),
    "away": (
        "The server is gone; I am looking for it …",
        "服务已断开，正在重新连接……",
    ),
    "gone": (
        "The server did not come back. What it had accepted is kept, "
        "and will be answered when it runs again.",
        "服务没有恢复。已接收的消息都已保存，服务恢复后会回答。",
    ),
    "back": ("The server is back.", "服务已恢复。"),
    "nothing": ("there is nothing in this message", "这条消息里没有内容"),
}

QUIT = frozenset({"/quit", "/exit", "退出"})
COMMANDS = ("/new", "/stop", "/help", "/usage", "/forget", "/quit")


class Words:
    """The catalogue in one language; `locale` is None where the shell has shown none."""

    def __init__(self, locale: str | None) -> None:
        self.locale = locale
        self._chinese = (locale or "").startswith("zh")

    def __call__(self, name: str, /, **values: str) -> str:
        english, chinese = _CATALOGUE[name]
        return (chinese if self._chinese else english).format(**values)
