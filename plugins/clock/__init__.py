"""What time it is somewhere, and what a time there is elsewhere."""

from typing import Annotated

from pydantic import Field

from bot import ToolContext, ToolRetry, tool
from plugins.clock.moments import UnclearTime, read_moment
from plugins.clock.places import Place, UnknownPlace, find_place
from plugins.clock.saying import converted, present

_PLACES = ["Tokyo", "New York", "London", "Buenos Aires", "Asia/Kolkata", "UTC+8", "东京", "北京"]
_PLACES += ["纽约", "伦敦", "孟买"]
_TIMES = ["15:30", "3pm", "9 am", "noon", "now", "下午3点", "早上九点", "20:00", "现在"]

_PlaceName = Annotated[str, Field(examples=_PLACES, max_length=200)]


@tool(
    examples=[
        "what time is it in Tokyo?",
        "what's the time in New York",
        "time in London",
        "current time in Buenos Aires",
        "tell me the time in Tokyo right now",
        "what time is it now in Asia/Kolkata",
        "what is the date in London today",
        "which day is it in Tokyo",
        "do you know how late it is in New York",
        "clock for UTC+8",
        "what time is it?",
        "what's today's date",
        "现在东京几点?",
        "东京现在几点了",
        "北京时间",
        "纽约现在是什么时间",
        "伦敦几点了",
        "告诉我孟买的当前时间",
        "请问北京现在几点钟",
        "今天纽约是几号",
        "东京今天星期几",
        "查一下伦敦的时间",
        "现在几点了?",
        "今天几号",
    ]
)
async def now(ctx: ToolContext, place: _PlaceName = "UTC") -> str:
    """Tell the current date, weekday and time at a place.

    Args:
        ctx: Who asks, and when.
        place: City, country, IANA zone or UTC offset.
    """
    return present(_find(ctx, place), ctx.now, ctx.locale)


@tool(
    examples=[
        "convert 15:30 from London to New York",
        "what is 3pm London time in Tokyo",
        "if it is 9 am in New York, what time is it in London?",
        "when it's noon in Tokyo, what time is it in Buenos Aires",
        "15:30 in London is what time in Tokyo",
        "translate 3pm New York time to London time",
        "what time will it be in Tokyo when it is 20:00 in London",
        "9 am in Tokyo, how late is that in New York",
        "what's the time difference now between London and Tokyo",
        "change 20:00 UTC+8 to London time",
        "北京下午3点是纽约几点?",
        "北京时间20:00是伦敦时间几点",
        "东京早上九点的时候纽约几点",
        "把伦敦的15:30换算成北京时间",
        "纽约下午3点换成东京时间是几点",
        "伦敦20:00相当于北京几点",
        "北京15:30,孟买是几点",
        "当东京是早上九点时,伦敦是什么时间",
        "把北京时间下午3点转换为纽约时间",
        "现在北京和伦敦的时差",
    ]
)
async def convert(
    ctx: ToolContext,
    time: Annotated[str, Field(examples=_TIMES, max_length=100)],
    from_place: _PlaceName,
    to_place: _PlaceName,
    date: Annotated[str, Field(max_length=100)] = "",
) -> str:
    """Convert a time of day at one place to the time at another, summer time included.

    Args:
        ctx: Who asks, and when.
        time: The time at from_place, for example 15:30 or 3pm; "now" for the present.
        from_place: Where that time is meant: city, country, IANA zone or UTC offset.
        to_place: Where the time is wanted: city, country, IANA zone or UTC offset.
        date: The day at from_place as YYYY-MM-DD; empty for today.
    """
    start, end = _find(ctx, from_place), _find(ctx, to_place)
    here = ctx.now.astimezone(start.zone)
    try:
        moment = read_moment(time, date, here)
    except UnclearTime as unclear:
        raise ToolRetry(unclear.zh if _is_chinese(ctx) else unclear.en) from unclear
    at = moment.at or here.time()
    return converted(moment.day, at.replace(second=0, microsecond=0), start, end, ctx.locale)


def _find(ctx: ToolContext, text: str) -> Place:
    try:
        return find_place(text)
    except UnknownPlace as unknown:
        raise ToolRetry(_which_place(text, unknown, ctx)) from unknown


def _which_place(text: str, unknown: UnknownPlace, ctx: ToolContext) -> str:
    near = [place.label(ctx.locale) for place in unknown.near]
    if _is_chinese(ctx):
        if unknown.region:
            return f"{unknown.region[1]}有几个时区，请说城市，例如{'、'.join(near)}"
        hint = f"；是不是指{'、'.join(near)}？" if near else "；请说大城市、国家或时区"
        return f"我不知道{text[:40]!r}在哪里{hint}"
    if unknown.region:
        return f"{unknown.region[0]} has several times; name a city, such as {', '.join(near)}"
    hint = f"; did you mean {', '.join(near)}?" if near else "; name a large city, land or zone"
    return f"I do not know the place {text[:40]!r}{hint}"


def _is_chinese(ctx: ToolContext) -> bool:
    return ctx.locale.startswith("zh")
