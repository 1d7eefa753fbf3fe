"""What is wrong with a bot's settings, in words that say where to mend it. Pure."""

from bot import Said

_ELSEWHERE = Said("another program uses this bot", "另一个程序正在使用这个机器人")


def of_token(name: str) -> Said:
    """Telegram knows no such bot."""
    place = f"adapters.{name}.token"
    return Said(
        f"Telegram does not know this token: copy the current one from @BotFather into {place}",
        f"Telegram 不认识这个令牌：请从 @BotFather 复制当前的令牌，填入 {place}",
    )


def of_call(error: Exception, name: str) -> Said:
    """A call that failed."""
    place = f"adapters.{name}.base_url"
    return Said(
        f"Telegram cannot be reached ({error}): check the network and {place}",
        f"无法连接 Telegram({error})：请检查网络和 {place}",
    )


def of_webhook_in_the_way() -> Said:
    """Polling is refused while a webhook is set."""
    return Said(
        "a webhook is set for this bot, so nothing can be polled: start the server, which takes "
        "it away, and stop the program that sets it",
        "这个机器人设置了 webhook，因此无法轮询：请启动服务（它会移除 webhook），"
        "并停止设置它的程序",
    )


def of_polling(trouble: str) -> Said:
    """A poll that failed."""
    chinese = _ELSEWHERE.zh if trouble == _ELSEWHERE.en else trouble
    return Said(
        f"polling fails: {trouble}; stop the other program, or check the network",
        f"轮询失败：{chinese}；请停止另一个程序，或检查网络",
    )


def of_other_webhook(url: str) -> Said:
    """Telegram calls somewhere else."""
    return Said(
        f"Telegram's webhook for this bot is another address than {url}: start the server, which "
        "sets it, and see that no other program uses this bot",
        f"这个机器人的 webhook 不是 {url}：请启动服务（它会设置 webhook），"
        "并确认没有其他程序使用这个机器人",
    )


def of_waiting(waiting: int, url: str, reason: str) -> Said:
    """Telegram could not deliver."""
    return Said(
        f"{waiting} updates wait because Telegram could not deliver to {url} ({reason}): see that "
        "this address leads here from outside",
        f"有 {waiting} 条更新在等待，因为 Telegram 无法送达 {url}({reason})："
        "请确认该地址可从外网访问到本服务",
    )
