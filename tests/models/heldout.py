"""What people might say to the built-in plugins, in words that the plugins' examples do not use.

Written without looking at the examples, by subject: the time, times between zones, sums, and the
weather. `expected` holds what has to be understood: for a sum its result, else argument values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Asked:
    """One paraphrase and what it asks for."""

    text: str
    expected: Mapping[str, str]


def places(*pairs: tuple[str, str]) -> Sequence[Asked]:
    return [Asked(text, {"place": place} if place else {}) for text, place in pairs]


def sums(*pairs: tuple[str, str]) -> Sequence[Asked]:
    return [Asked(text, {"result": result}) for text, result in pairs]


def zones(*rows: tuple[str, str, str, str]) -> Sequence[Asked]:
    return [
        Asked(text, {"time": time, "source": source, "target": target})
        for text, time, source, target in rows
    ]


NOW_EN = places(
    ("could you tell me the local time in Nairobi please", "Nairobi"),
    ("what time have they got in Lima right now", "Lima"),
    ("I'd like to know what time it is over in Madrid", "Madrid"),
    ("time in Oslo?", "Oslo"),
    ("what's the time now", ""),
    ("do you know what time it is in Seoul at the moment?", "Seoul"),
    ("what is today's date", ""),
    ("how late is it in Bangkok", "Bangkok"),
    ("give me the current time for Mexico City", "Mexico City"),
    ("please check the time in Cairo", "Cairo"),
    ("what hour is it in Dubai?", "Dubai"),
    ("current local time, Toronto", "Toronto"),
    ("is it already morning in Sydney? what time is it there", "Sydney"),
    ("hey, what time is it in San Francisco", "San Francisco"),
    ("what does the clock say in Vienna", "Vienna"),
    ("which day is it today?", ""),
    ("Istanbul time now", "Istanbul"),
    ("tell me what time it is", ""),
    ("what time is it currently in Hong Kong?", "Hong Kong"),
    ("can I get the time in Stockholm", "Stockholm"),
)
NOW_ZH = places(
    ("利马现在是几点钟", "利马"),
    ("请问首尔现在几点了?", "首尔"),
    ("帮我看一下马德里的当前时间", "马德里"),
    ("我想知道曼谷现在的时间", "曼谷"),
    ("现在什么时间了", ""),
    ("现在是几点呀?", ""),
    ("今天是几月几号", ""),
    ("墨西哥城此刻几点", "墨西哥城"),
    ("告诉我开罗现在几点", "开罗"),
    ("悉尼那边几点了", "悉尼"),
    ("多伦多的当地时间是多少?", "多伦多"),
    ("你知道维也纳现在几点吗", "维也纳"),
    ("查一下迪拜的时间", "迪拜"),
    ("今天星期几?", ""),
    ("奥斯陆现在几点啦", "奥斯陆"),
    ("请告诉我旧金山的时间", "旧金山"),
    ("香港现在是什么时间", "香港"),
    ("斯德哥尔摩现在几点?", "斯德哥尔摩"),
    ("麻烦看下现在的时间", ""),
    ("内罗毕当前时间", "内罗毕"),
)
CONVERT_EN = zones(
    ("if it is 4pm in Madrid, what time will it be in Seoul?", "4pm", "Madrid", "Seoul"),
    ("convert 10:30 Cairo time to Lima time", "10:30", "Cairo", "Lima"),
    ("what is 9am Toronto time in Dubai", "9am", "Toronto", "Dubai"),
    ("when it's 18:00 in Oslo, what's the time in Bangkok", "18:00", "Oslo", "Bangkok"),
    ("translate 7 pm from Vienna to Hong Kong time", "7 pm", "Vienna", "Hong Kong"),
    ("5:45 am in Mexico City is what time in Nairobi?", "5:45 am", "Mexico City", "Nairobi"),
    ("please convert 14:15 from Seoul to Istanbul", "14:15", "Seoul", "Istanbul"),
    ("how would 8am in Stockholm read in San Francisco", "8am", "Stockholm", "San Francisco"),
    ("3:30 pm Lima time to Madrid", "3:30 pm", "Lima", "Madrid"),
    ("our call is at 11:00 in Dubai, what time is that in Toronto?", "11:00", "Dubai", "Toronto"),
    ("change 6pm Bangkok time into Oslo time", "6pm", "Bangkok", "Oslo"),
    ("what time is it in Vienna when it's 2pm in Cairo", "2pm", "Cairo", "Vienna"),
    ("20:00 from Nairobi to Seoul please", "20:00", "Nairobi", "Seoul"),
    ("what will 1pm in Hong Kong be in Stockholm?", "1pm", "Hong Kong", "Stockholm"),
    ("if my meeting starts at 16:45 in Istanbul, when is it in Lima", "16:45", "Istanbul", "Lima"),
    ("convert 12:05 from Toronto into Bangkok time", "12:05", "Toronto", "Bangkok"),
    ("tell me what 10am in Oslo is in Mexico City", "10am", "Oslo", "Mexico City"),
    ("at 22:30 in Madrid, what's the clock in Dubai?", "22:30", "Madrid", "Dubai"),
    ("9:15 pm in San Francisco, in Cairo time?", "9:15 pm", "San Francisco", "Cairo"),
    ("I need 17:00 Seoul time converted to Vienna time", "17:00", "Seoul", "Vienna"),
)
CONVERT_ZH = zones(
    ("马德里下午4点的时候首尔是几点?", "下午4点", "马德里", "首尔"),
    ("把 10:30 从开罗时间换成利马时间", "10:30", "开罗", "利马"),
    ("多伦多上午9点等于迪拜几点", "上午9点", "多伦多", "迪拜"),
    ("奥斯陆 18:00,曼谷是几点?", "18:00", "奥斯陆", "曼谷"),
    ("请把维也纳晚上7点换算成香港时间", "晚上7点", "维也纳", "香港"),
    ("墨西哥城早上6点是内罗毕的几点", "早上6点", "墨西哥城", "内罗毕"),
    ("首尔时间 14:15 在伊斯坦布尔是几点", "14:15", "首尔", "伊斯坦布尔"),
    ("斯德哥尔摩早上8点对应旧金山几点?", "早上8点", "斯德哥尔摩", "旧金山"),
    ("利马的 15:30 是马德里的什么时间", "15:30", "利马", "马德里"),
    ("迪拜 11:00 开会,多伦多那时几点?", "11:00", "迪拜", "多伦多"),
    ("帮我把曼谷下午6点转换成奥斯陆时间", "下午6点", "曼谷", "奥斯陆"),
    ("开罗下午2点,换成维也纳时间是几点", "下午2点", "开罗", "维也纳"),
    ("从内罗毕 20:00 换算到首尔", "20:00", "内罗毕", "首尔"),
    ("香港下午1点时斯德哥尔摩几点", "下午1点", "香港", "斯德哥尔摩"),
    ("伊斯坦布尔 16:45 换成利马时间", "16:45", "伊斯坦布尔", "利马"),
    ("请问多伦多 12:05 是曼谷几点", "12:05", "多伦多", "曼谷"),
    ("奥斯陆上午10点相当于墨西哥城几点", "上午10点", "奥斯陆", "墨西哥城"),
    ("马德里 22:30 的时候迪拜几点了", "22:30", "马德里", "迪拜"),
    ("旧金山晚上9点在开罗是什么时候", "晚上9点", "旧金山", "开罗"),
    ("首尔 17:00 转成维也纳时间", "17:00", "首尔", "维也纳"),
)
SUMS_EN = sums(
    ("what is 38 plus 47?", "85"),
    ("please compute 144 / 12", "12"),
    ("how much is 12.5 times 8", "100"),
    ("can you work out 1000 - 333", "667"),
    ("25% of 260?", "65"),
    ("what's 9 * (4 + 3)", "63"),
    ("could you calculate 17 multiplied by 6 for me", "102"),
    ("I need to know what 500 minus 125 is", "375"),
    ("84 divided by 7 is what", "12"),
    ("give me the result of 3.2 + 4.9", "8.1"),
    ("how much would 30% off $50 be", "35"),
    ("square root of 81 please", "9"),
    ("tell me 6 times 7", "42"),
    ("what do you get for 2 ** 8", "256"),
    ("evaluate 18 / 4 + 2", "6.5"),
    ("what does 64 minus 28 make?", "36"),
    ("hey, 99 + 101?", "200"),
    ("what is 7.5% of 400", "30"),
    ("do the math: 15 * 15 - 25", "200"),
    ("how much is 1,200 + 350", "1550"),
)
SUMS_ZH = sums(
    ("请问 38 加 47 是多少?", "85"),
    ("帮忙算算 144 除以 12", "12"),
    ("12.5 乘以 8 等于几", "100"),
    ("1000 减 333 是多少呢", "667"),
    ("260 的 25% 等于多少", "65"),
    ("计算一下 9 * (4 + 3)", "63"),
    ("我想知道 17 乘 6 得多少", "102"),
    ("500 减去 125 还剩多少", "375"),
    ("84 除以 7 等于?", "12"),
    ("3.2 + 4.9 的结果是什么", "8.1"),
    ("50元打七折是多少", "35"),
    ("81 的平方根是多少", "9"),
    ("六乘以七等于多少", "42"),
    ("2 的 8 次方是几", "256"),
    ("麻烦算一下 18 / 4 + 2", "6.5"),
    ("64-28=?", "36"),
    ("99 加 101 一共多少", "200"),
    ("400 的 7.5% 是多少", "30"),
    ("15 * 15 - 25 等于多少", "200"),
    ("1200 加上 350 是多少", "1550"),
)
WEATHER_EN = places(
    ("how's the weather in Lima today", "Lima"),
    ("is it raining in Oslo right now?", "Oslo"),
    ("what's the weather like in Nairobi", "Nairobi"),
    ("will it rain tomorrow in Seoul", "Seoul"),
    ("weather forecast for Madrid please", "Madrid"),
    ("how cold is it in Toronto?", "Toronto"),
    ("what is the temperature in Dubai at the moment", "Dubai"),
    ("do I need an umbrella in Stockholm today?", "Stockholm"),
    ("tell me the weather in Mexico City", "Mexico City"),
    ("is it sunny in Cairo", "Cairo"),
    ("give me the forecast for Vienna for tomorrow", "Vienna"),
    ("Bangkok weather", "Bangkok"),
    ("how hot will it get in Istanbul this week?", "Istanbul"),
    ("I'm flying to San Francisco, what weather should I expect", "San Francisco"),
    ("what are the weather conditions in Hong Kong", "Hong Kong"),
    ("is there snow in Helsinki now?", "Helsinki"),
    ("how warm is Lisbon today", "Lisbon"),
    ("check the weather for Manila", "Manila"),
    ("what will the weather be in Athens tomorrow?", "Athens"),
    ("does it look like rain in Dublin?", "Dublin"),
)
WEATHER_ZH = places(
    ("利马今天天气如何", "利马"),
    ("奥斯陆现在下雨吗?", "奥斯陆"),
    ("请问首尔的天气怎么样", "首尔"),
    ("明天马德里会不会下雨", "马德里"),
    ("帮我查一下广州的天气预报", "广州"),
    ("多伦多现在多冷", "多伦多"),
    ("迪拜气温多少度?", "迪拜"),
    ("今天去斯德哥尔摩要带伞吗", "斯德哥尔摩"),
    ("告诉我成都的天气", "成都"),
    ("开罗是晴天吗", "开罗"),
    ("维也纳明天的天气预报", "维也纳"),
    ("曼谷天气", "曼谷"),
    ("伊斯坦布尔这周热吗?", "伊斯坦布尔"),
    ("我要去旧金山,那边天气怎么样?", "旧金山"),
    ("香港现在的天气情况", "香港"),
    ("赫尔辛基下雪了吗", "赫尔辛基"),
    ("里斯本今天有多少度", "里斯本"),
    ("看看马尼拉的天气", "马尼拉"),
    ("雅典明天天气好不好", "雅典"),
    ("武汉今天会下雨吗?", "武汉"),
)


def numbers(*pairs: tuple[str, str]) -> Sequence[Asked]:
    return [Asked(text, {"number": number}) for text, number in pairs]


ORDER_EXAMPLES = (
    "where is my order 10023?",
    "what is the status of order 20417",
    "has order 10023 been shipped",
    "track order 20417",
    "when does order 10023 arrive",
    "我的订单 10023 到哪了?",
    "查一下订单 20417 的状态",
    "订单 10023 发货了吗",
    "订单 20417 什么时候到",
    "帮我跟踪订单 10023",
)
"""What an operator would write beside a query of the lookup plugin."""
ORDER_EN = numbers(
    ("could you tell me the status of order 55120?", "55120"),
    ("where's order 90011 now", "90011"),
    ("has my order 31337 shipped yet?", "31337"),
    ("please track my order 44556", "44556"),
    ("when will order 77001 arrive", "77001"),
    ("status for order 12121 please", "12121"),
    ("I'd like to know where order 65000 is", "65000"),
    ("order 80808, where is it?", "80808"),
    ("did you ship order 40404", "40404"),
    ("can you look up order 99120 for me", "99120"),
    ("any news on my order 50005?", "50005"),
    ("what happened to order 71717", "71717"),
    ("check order 23232", "23232"),
    ("is order 61616 on its way?", "61616"),
    ("my order number is 34343, where is it", "34343"),
    ("show me the status of my order 87878", "87878"),
    ("order status 45454", "45454"),
    ("tell me when my order 29292 will arrive", "29292"),
    ("find out where order 15151 is please", "15151"),
    ("has order 76767 arrived?", "76767"),
)
ORDER_ZH = numbers(
    ("请问订单 55120 现在到哪里了?", "55120"),
    ("帮我查查订单 90011", "90011"),
    ("我的订单 31337 发货没有", "31337"),
    ("跟踪一下订单 44556", "44556"),
    ("订单 77001 几时能到", "77001"),
    ("订单 12121 的状态是什么", "12121"),
    ("我想知道订单 65000 在哪", "65000"),
    ("订单 80808 送到了吗", "80808"),
    ("订单 40404 发出了吗?", "40404"),
    ("麻烦查询订单 99120 的状态", "99120"),
    ("我的订单 50005 怎么样了", "50005"),
    ("看看订单 71717 到哪了", "71717"),
    ("订单号 23232,什么时候到?", "23232"),
    ("订单 61616 在路上吗", "61616"),
    ("我的订单是 34343,现在到哪了", "34343"),
    ("告诉我订单 87878 的状态", "87878"),
    ("订单状态 45454", "45454"),
    ("订单 29292 哪天到", "29292"),
    ("请跟踪我的订单 15151", "15151"),
    ("订单 76767 到了没", "76767"),
)
