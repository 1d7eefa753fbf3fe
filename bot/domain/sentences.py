"""Every sentence that the engine says to a person, in English and Chinese.

One kind sentence says what happened and, where there is something to do, what. Codes, traces
and names of machines never reach a person.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

LOCALES = ("en", "zh")

REPEAT_ROOM = 16
"""Bytes that the mark of what is sent once more takes at most, with what parts it from the text."""

_BLOCK = re.compile(r"\s|[#>|`~*+-]|\d+[.)]")
"""How a text begins that would no longer be a heading, a list or code behind a mark."""

_CATALOGUE: Mapping[str, tuple[str, str]] = {
    "busy": (
        "I have too much waiting here just now, so I left this message aside. "
        "Please send it again in a minute.",
        "我这里排队的消息太多了，这条暂时没有处理。请过一分钟再发一次。",
    ),
    "too_long": (
        "That message is too long for me ({size} characters at most). Please send a shorter one.",
        "这条消息太长了（最多 {size} 个字符）。请发短一点的。",
    ),
    "too_old": (
        "I was away when you wrote this, and did not want to answer so late without asking. "
        "If it still matters, please send it again.",
        "您发这条消息时我不在线，现在回复可能已经晚了。如果仍需要，请再发一次。",
    ),
    "too_late": (
        "I was interrupted while I answered this, and did not want to go on so late without "
        "asking. If it still matters, please send it again.",
        "回答这条消息时我被打断了，现在继续可能已经晚了。如果仍需要，请再发一次。",
    ),
    "done_before": ("By then I had done this already: {tools}.", "在此之前我已经执行了：{tools}。"),
    "unreadable": (
        "I cannot read this kind of message yet. Could you write it in words?",
        "我还看不懂这种消息，可以用文字告诉我吗？",
    ),
    "model_unreachable": (
        "I could not reach the language model just now. Your message is kept; "
        "please ask again in a moment.",
        "暂时连不上语言模型。您的消息已保存，请稍后再问一次。",
    ),
    "model_refused": (
        "The language model's service would not take this request. "
        "The people who run this assistant can see why.",
        "语言模型服务没有接受这个请求，管理员可以看到原因。",
    ),
    "filtered": (
        "I am not able to answer that one.",
        "这个问题我无法回答。",
    ),
    "out_of_time": (
        "That took longer than I am allowed, so I stopped. A smaller question may work.",
        "这个问题花的时间超过了限制，我先停下了。把问题拆小一点也许可以。",
    ),
    "too_many_steps": (
        "I tried several steps and did not come to an end, so I stopped here.",
        "我试了好几步还没有得出结果，先停在这里。",
    ),
    "empty_answer": (
        "I have no answer to that.",
        "我没有找到答案。",
    ),
    "gave_up": (
        "I am sorry: something went wrong each time I tried to answer this, so I gave up on it. "
        "The people who run this assistant have been told.",
        "抱歉，这条消息我试了几次都出错，已经放弃处理，并通知了管理员。",
    ),
    "unexpected": (
        "I am sorry, something went wrong on my side. Please try once more.",
        "抱歉，我这边出了点问题，请再试一次。",
    ),
    "stopped_mark": ("(stopped)", "（已停止）"),
    "interrupted_mark": ("(interrupted)", "（已中断）"),
    "interrupted": (
        "I stopped when your next message came, and you took that one back. "
        "Please ask once more if you still want to know.",
        "您的下一条消息到来时我停止了回答，而那条消息又被撤回了。如果还想知道，请再问一次。",
    ),
    "cut_mark": ("(the answer was cut off here)", "（回答在这里被截断）"),
    "repeated_mark": ("(sent again)", "（重发）"),
    "nothing_to_stop": ("Nothing is running here.", "现在没有正在进行的回答。"),
    "stopped": ("Stopped.", "已停止。"),
    "stop_not_yours": (
        "Only the person who asked, or an operator, can stop this answer.",
        "只有提问的人或管理员可以停止这个回答。",
    ),
    "new_session": (
        "A new conversation begins here. What was said before is no longer on my mind.",
        "新的对话从这里开始，之前的内容我不再记着了。",
    ),
    "operators_only": (
        "In a group only an operator can do that.",
        "在群里只有管理员可以这样做。",
    ),
    "forgotten": (
        "Done: what was said here is deleted.",
        "完成：这里说过的内容已经删除。",
    ),
    "forgotten_yours": (
        "Done: what you wrote here, and what I answered you, is deleted.",
        "完成：您在这里写的以及我对您的回答都已删除。",
    ),
    "traces_left": (
        "Parts of it may still lie unread in the file in which it was kept, until there is room on "
        "the disk to write that anew. The people who run this assistant have been told.",
        "保存这些内容的文件里可能还残留着一些痕迹，等磁盘有空间重写文件时就会清除。已通知管理员。",
    ),
    "usage": (
        "In this conversation over the last 30 days: answers {turns}, tokens read {input}, "
        "tokens written {output}.",
        "过去 30 天在这个对话中：{turns} 次回答，读取 {input} 个词元，写出 {output} 个词元。",
    ),
    "help": (
        "Just write to me. I also understand:\n\n"
        "- /new – begin a new conversation\n"
        "- /stop – stop the answer that is being written\n"
        "- /usage – what this conversation has used\n"
        "- /forget – delete what was said here\n"
        "- /help – this list",
        "直接给我发消息即可。我还认识这些命令：\n\n"
        "- /new（新对话）– 开始新的对话\n"
        "- /stop（停止）– 停止正在写的回答\n"
        "- /usage（用量）– 查看这个对话的用量\n"
        "- /forget（忘记我）– 删除这里说过的内容\n"
        "- /help（帮助）– 显示这份列表",
    ),
    "help_tools": ("I can also use: {tools}.", "我还可以使用：{tools}。"),
    "greeting": ("Hello! What can I do for you?", "您好！有什么可以帮您？"),
    "approve": (
        "Shall I do this?\n\n**{tool}**\n```json\n{arguments}\n```\n"
        "Answer yes within five minutes; anything else means no.",
        "要我这样做吗？\n\n**{tool}**\n```json\n{arguments}\n```\n"
        "请在五分钟内回复“是”，其他回复都视为不同意。",
    ),
    "approval_expired": (
        "I read your yes too late, so I did nothing. If you still want it, please ask again.",
        "您的同意我看到得太晚，因此没有执行。如果仍需要，请再说一次。",
    ),
    "approve_yes": ("Yes", "是"),
    "approve_no": ("No", "否"),
    "tool_not_offered": ("I cannot use {tool} here.", "我在这里不能使用 {tool}。"),
    "tool_not_allowed": ("You may not use {tool}.", "您没有使用 {tool} 的权限。"),
    "tool_cannot_ask": (
        "{tool} needs a yes first, and I cannot ask for one here.",
        "{tool} 需要先征得同意，而这里无法询问。",
    ),
    "once_unknown": (
        "I had begun “{tool}” and cannot tell whether it was done. "
        "I did not do it a second time; please check.",
        "我已开始执行“{tool}”，但无法确定它是否已经完成。我没有重复执行，请核实。",
    ),
}


class Said(NamedTuple):
    """One thing that is said outside this catalogue, in English and Chinese."""

    en: str
    zh: str

    def to(self, locale: str) -> str:
        """In the language of whoever reads it."""
        return self.zh if locale_of(locale, "en") == "zh" else self.en


def locale_of(wanted: str | None, default: str) -> str:
    """The catalogue for a sender's locale ("zh-CN", "zh_Hans", "en-GB"), else the default's."""
    for candidate in (wanted, default):
        language = (candidate or "").replace("_", "-").partition("-")[0].lower()
        if language in LOCALES:
            return language
    return LOCALES[0]


def language_of(text: str, otherwise: str) -> str:
    """The language that something is written in, as far as a glance tells."""
    return "zh" if any("\u4e00" <= letter <= "\u9fff" for letter in text) else otherwise


def sentence(name: str, locale: str, /, **values: object) -> str:
    """The sentence of that name, filled.

    Raises:
        KeyError: no such sentence; a test walks the engine's uses.
    """
    english, chinese = _CATALOGUE[name]
    return (chinese if locale_of(locale, "en") == "zh" else english).format(**values)


def repeated(text: str, locale: str) -> str:
    """The text with a mark before it that says that it may be there twice."""
    mark = sentence("repeated_mark", locale)
    return f"{mark}\n\n{text}" if _BLOCK.match(text) else f"{mark} {text}"


def names() -> frozenset[str]:
    """Every name that there is, for the test of its uses."""
    return frozenset(_CATALOGUE)
