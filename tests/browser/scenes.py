"""What the pictures show: one conversation for each state of the page, in both languages."""

from tests.adapters.web.engine import Answer

SAID = {
    "short": {"en": "What time is it in Tokyo?", "zh": "现在东京几点？"},
    "streaming": {
        "en": "Can you explain what a lease is, simply?",
        "zh": "能简单解释一下什么是租约吗？",
    },
    "code": {
        "en": "Show me how to write a plugin, and what the built-in ones do.",
        "zh": "怎么写一个插件？内置的插件都能做什么？",
    },
    "error": {"en": "Please summarise our last meeting.", "zh": "请总结一下我们上次的会议。"},
}

TIME = {
    "en": Answer(
        ("It is **15:42** in Tokyo, ", "Saturday 21 November. That is eight hours ahead of you."),
        (("time_now", '{"place": "Tokyo"}', "2026-11-21 15:42 JST (UTC+09:00)"),),
    ),
    "zh": Answer(
        ("东京现在是 **15:42**，", "11 月 21 日，星期六。比你这里早八个小时。"),
        (("time_now", '{"place": "东京"}', "2026-11-21 15:42 JST（UTC+09:00）"),),
    ),
}

LEASE = {
    "en": Answer(
        (
            "A lease is a right with an end. Think of a meeting room that you book for an hour:\n\n"
            "1. While the hour lasts, the room is yours and nobody else walks in.\n"
            "2. If you need longer, you renew before it runs out.\n"
            "3. If you forget, or fall ill, the room is free again by itself — ",
            "nobody has to find you first.\n\nThat last point is why computers like them so much.",
        ),
    ),
    "zh": Answer(
        (
            "租约就是一种有期限的权利。想象你预订了一小时的会议室：\n\n"
            "1. 在这一小时里，会议室归你，别人不会进来。\n"
            "2. 如果需要更长时间，就在到期之前续订。\n"
            "3. 如果你忘了，或者临时有事，会议室会自动空出来——",
            "不需要谁先来找到你。\n\n正因为最后这一点，计算机非常喜欢租约。",
        ),
    ),
}

CODE = {
    "en": Answer(
        (
            "A plugin is one typed function with a docstring:\n\n"
            "```python\nfrom bot import tool\n\n\n@tool\n"
            "async def order_state(number: int) -> str:\n"
            '    """Say where an order is.\n\n    Args:\n'
            "        number: The number on the invoice, for example 20261121.\n"
            '    """\n    return await orders.state(number)\n```\n\n'
            "These come with Parley:\n\n"
            "| Plugin | What it does | Needs the network |\n|---|---|---:|\n"
            "| `clock` | The time anywhere, and conversions between zones | no |\n"
            "| `calculator` | Exact decimals, percentages, rounding of money | no |\n"
            "| `weather` | Today and the next days, for any place | yes |\n\n"
            "Name the file in `config.yaml` and start again. "
            "More in [the guide](https://example.org/plugins).",
        ),
    ),
    "zh": Answer(
        (
            "插件就是一个带类型和文档说明的函数：\n\n"
            "```python\nfrom bot import tool\n\n\n@tool\n"
            "async def order_state(number: int) -> str:\n"
            '    """查询订单到了哪里。\n\n    Args:\n        number: 发票上的编号，'
            '例如 20261121。\n    """\n    return await orders.state(number)\n```\n\n'
            "Parley 自带这些插件：\n\n"
            "| 插件 | 用途 | 需要联网 |\n|---|---|---:|\n"
            "| `clock` | 任意地点的时间，以及时区换算 | 否 |\n"
            "| `calculator` | 精确小数、百分比和金额取整 | 否 |\n"
            "| `weather` | 任意地点今天和未来几天的天气 | 是 |\n\n"
            "在 `config.yaml` 中写上文件名，重新启动即可。"
            "详见[插件指南](https://example.org/plugins)。",
        ),
    ),
}

PAST = {
    "en": [
        ("What is 19.99 * 3 - 15%?", Answer(("That comes to **50.97**, rounded to the cent.",))),
        (
            "And if I split it between four people?",
            Answer(
                (
                    "Each of you pays **12.74**; one of you pays a cent more:\n\n"
                    "- three times 12.74\n- once 12.75",
                )
            ),
        ),
        (
            "Thank you! Can you draft a short note to them?",
            Answer(
                (
                    "Of course:\n\n> Hello all, lunch came to 50.97 in the end. That is 12.74 "
                    "each; I take the odd cent. Whenever you have a minute is fine.\n\n"
                    "Shall I make it more formal?",
                )
            ),
        ),
        ("No, it is perfect.", Answer(("Glad to hear it. Enjoy the rest of your day!",))),
    ],
    "zh": [
        ("19.99 乘 3 再减 15% 是多少？", Answer(("结果是 **50.97**，已四舍五入到分。",))),
        (
            "如果四个人平分呢？",
            Answer(("每人付 **12.74**，其中一人多付一分：\n\n- 三个人各 12.74\n- 一个人 12.75",)),
        ),
        (
            "谢谢！能帮我写一段简短的通知吗？",
            Answer(
                (
                    "当然可以：\n\n> 大家好，午餐一共 50.97，每人 12.74，"
                    "多出的一分由我来付。有空时转给我就好。\n\n需要写得更正式一些吗？",
                )
            ),
        ),
        ("不用，这样很好。", Answer(("太好了，祝你今天愉快！",))),
    ],
}


def script(said: str) -> Answer:
    """The answer to what a scene says."""
    for lang in ("en", "zh"):
        for scene, answers in (("short", TIME), ("streaming", LEASE), ("code", CODE)):
            if said == SAID[scene][lang]:
                return answers[lang]
    return Answer((said,))
