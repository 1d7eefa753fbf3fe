"""What time it is somewhere, and what a time there is elsewhere."""

import json
from datetime import UTC, datetime
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import ToolRetry
from plugins.clock import convert, now
from plugins.clock.places import find_place
from tests.tool_context import tool_context

SUMMER = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)

# The hundred largest cities of the world, more or less, with their zones.
LARGEST = """
Tokyo 东京 Asia/Tokyo, Delhi 德里 Asia/Kolkata, Shanghai 上海 Asia/Shanghai, Dhaka 达卡 Asia/Dhaka,
São Paulo 圣保罗 America/Sao_Paulo, Cairo 开罗 Africa/Cairo,
Mexico City 墨西哥城 America/Mexico_City,
Beijing 北京 Asia/Shanghai, Mumbai 孟买 Asia/Kolkata, Osaka 大阪 Asia/Tokyo,
Chongqing 重庆 Asia/Shanghai, Karachi 卡拉奇 Asia/Karachi, Kinshasa 金沙萨 Africa/Kinshasa,
Lagos 拉各斯 Africa/Lagos, Istanbul 伊斯坦布尔 Europe/Istanbul, Kolkata 加尔各答 Asia/Kolkata,
Buenos Aires 布宜诺斯艾利斯 America/Argentina/Buenos_Aires, Manila 马尼拉 Asia/Manila,
Guangzhou 广州 Asia/Shanghai, Tianjin 天津 Asia/Shanghai, Lahore 拉合尔 Asia/Karachi,
Bangalore 班加罗尔 Asia/Kolkata, Rio de Janeiro 里约热内卢 America/Sao_Paulo,
Shenzhen 深圳 Asia/Shanghai, Moscow 莫斯科 Europe/Moscow, Chennai 金奈 Asia/Kolkata,
Bogotá 波哥大 America/Bogota, Jakarta 雅加达 Asia/Jakarta, Lima 利马 America/Lima,
Bangkok 曼谷 Asia/Bangkok, Paris 巴黎 Europe/Paris, Hyderabad 海得拉巴 Asia/Kolkata,
Seoul 首尔 Asia/Seoul, Nanjing 南京 Asia/Shanghai, Chengdu 成都 Asia/Shanghai,
London 伦敦 Europe/London, Ho Chi Minh City 胡志明市 Asia/Ho_Chi_Minh, Luanda 罗安达 Africa/Luanda,
Tehran 德黑兰 Asia/Tehran, Wuhan 武汉 Asia/Shanghai, Nagoya 名古屋 Asia/Tokyo,
Xi'an 西安 Asia/Shanghai, Ahmedabad 艾哈迈达巴德 Asia/Kolkata, New York 纽约 America/New_York,
Kuala Lumpur 吉隆坡 Asia/Kuala_Lumpur, Hangzhou 杭州 Asia/Shanghai, Hong Kong 香港 Asia/Hong_Kong,
Dongguan 东莞 Asia/Shanghai, Foshan 佛山 Asia/Shanghai, Shenyang 沈阳 Asia/Shanghai,
Riyadh 利雅得 Asia/Riyadh, Baghdad 巴格达 Asia/Baghdad, Santiago 圣地亚哥 America/Santiago,
Surat 苏拉特 Asia/Kolkata, Madrid 马德里 Europe/Madrid, Suzhou 苏州 Asia/Shanghai,
Pune 浦那 Asia/Kolkata, Harbin 哈尔滨 Asia/Shanghai, Houston 休斯敦 America/Chicago,
Dallas 达拉斯 America/Chicago, Toronto 多伦多 America/Toronto, Miami 迈阿密 America/New_York,
Dar es Salaam 达累斯萨拉姆 Africa/Dar_es_Salaam, Belo Horizonte 贝洛奥里藏特 America/Sao_Paulo,
Singapore 新加坡 Asia/Singapore, Philadelphia 费城 America/New_York,
Atlanta 亚特兰大 America/New_York,
Fukuoka 福冈 Asia/Tokyo, Khartoum 喀土穆 Africa/Khartoum, Barcelona 巴塞罗那 Europe/Madrid,
Johannesburg 约翰内斯堡 Africa/Johannesburg, Saint Petersburg 圣彼得堡 Europe/Moscow,
Qingdao 青岛 Asia/Shanghai, Dalian 大连 Asia/Shanghai, Washington 华盛顿 America/New_York,
Yangon 仰光 Asia/Yangon, Alexandria 亚历山大 Africa/Cairo, Jinan 济南 Asia/Shanghai,
Guadalajara 瓜达拉哈拉 America/Mexico_City, Los Angeles 洛杉矶 America/Los_Angeles,
Chicago 芝加哥 America/Chicago, Boston 波士顿 America/New_York, Sydney 悉尼 Australia/Sydney,
San Francisco 旧金山 America/Los_Angeles, Melbourne 墨尔本 Australia/Melbourne,
Monterrey 蒙特雷 America/Monterrey, Ankara 安卡拉 Europe/Istanbul, Chittagong 吉大港 Asia/Dhaka,
Abidjan 阿比让 Africa/Abidjan, Casablanca 卡萨布兰卡 Africa/Casablanca,
Nairobi 内罗毕 Africa/Nairobi,
Addis Ababa 亚的斯亚贝巴 Africa/Addis_Ababa, Kabul 喀布尔 Asia/Kabul, Kano 卡诺 Africa/Lagos,
Hanoi 河内 Asia/Ho_Chi_Minh, Zhengzhou 郑州 Asia/Shanghai, Changsha 长沙 Asia/Shanghai,
Kunming 昆明 Asia/Shanghai, Berlin 柏林 Europe/Berlin, Rome 罗马 Europe/Rome,
Milan 米兰 Europe/Rome, Cape Town 开普敦 Africa/Johannesburg, Busan 釜山 Asia/Seoul,
Taipei 台北 Asia/Taipei, Accra 阿克拉 Africa/Accra, Algiers 阿尔及尔 Africa/Algiers,
Kyiv 基辅 Europe/Kyiv, Brasília 巴西利亚 America/Sao_Paulo, Montreal 蒙特利尔 America/Toronto,
Medellín 麦德林 America/Bogota, Guayaquil 瓜亚基尔 America/Guayaquil,
Vancouver 温哥华 America/Vancouver
"""
CITIES = [tuple(line.strip().rsplit(" ", 2)) for line in LARGEST.replace("\n", " ").split(",")]


async def ask_now(place: str, locale: str = "en", at: datetime | None = None) -> str:
    ctx = tool_context(locale=locale, now=at) if at else tool_context(locale=locale)
    return await now.call(ctx, json.dumps({"place": place}))


async def ask_convert(
    time: str, start: str, end: str, *, date: str = "", locale: str = "en"
) -> str:
    arguments = {"time": time, "from_place": start, "to_place": end, "date": date}
    return await convert.call(tool_context(locale=locale), json.dumps(arguments))


async def test_the_present_is_told_with_weekday_zone_and_offset() -> None:
    assert await ask_now("Tokyo") == (
        "It is 18:00 on Monday, 5 January 2026 in Tokyo (Asia/Tokyo, JST, UTC+09:00)."
    )
    assert await ask_now("东京", "zh-CN") == (
        "东京现在是2026年1月5日星期一 18:00（Asia/Tokyo，JST，UTC+09:00）。"
    )


async def test_without_a_place_the_time_is_universal() -> None:
    assert await now.call(tool_context(), "") == "It is 09:00 on Monday, 5 January 2026 in UTC."


async def test_summer_time_is_named_where_it_is_one() -> None:
    assert (await ask_now("Berlin", at=SUMMER)).endswith("CEST, UTC+02:00, summer time).")
    assert (await ask_now("Dublin", at=SUMMER)).endswith("IST, UTC+01:00, summer time).")
    assert (await ask_now("Dublin")).endswith("GMT, UTC+00:00).")
    assert (await ask_now("Casablanca", at=SUMMER)).endswith("UTC+01:00).")
    assert (await ask_now("悉尼", "zh")).endswith("AEDT，UTC+11:00，夏令时）。")


@pytest.mark.parametrize(("en", "zh", "zone"), CITIES)
def test_the_largest_cities_are_known_in_both_languages(en: str, zh: str, zone: str) -> None:
    assert find_place(en).zone_name == zone
    assert find_place(zh).zone_name == zone
    assert find_place(zh).label("en") == en
    assert find_place(en).label("zh") == zh


def test_there_are_a_hundred_of_them() -> None:
    assert len(CITIES) >= 100


def test_every_zone_of_the_database_is_known_by_its_name() -> None:
    zones = {zone for zone in available_timezones() if "/" in zone}
    assert {zone for zone in zones if find_place(zone).zone_name != zone} == set()
    for name in ("EST5EDT", "W-SU", "ROK", "NZ", "PRC", "Japan", "UTC"):
        assert find_place(name).zone_name


def test_every_city_of_a_zone_is_known_by_itself() -> None:
    areas = ("Africa/", "America/", "Asia/", "Atlantic/", "Europe/", "Indian/", "Pacific/")
    for zone in available_timezones():
        if zone.startswith(areas) and zone not in {"America/Virgin", "America/Knox_IN"}:
            city = zone.rpartition("/")[2].replace("_", " ")
            assert find_place(city).zone_name


@pytest.mark.parametrize(
    ("said", "zone"),
    [
        ("buenos aires", "America/Argentina/Buenos_Aires"),
        ("NEW-YORK", "America/New_York"),
        ("sao paulo", "America/Sao_Paulo"),
        ("Zuerich, Switzerland", "Europe/Zurich"),
        ("St Johns", "America/St_Johns"),
        ("Paris, France", "Europe/Paris"),
        ("Portland, Oregon", "America/Los_Angeles"),
        ("Tokyo right now", "Asia/Tokyo"),
        ("the time in London please", "Europe/London"),
        ("Pacific Time", "America/Los_Angeles"),
        ("EST", "America/New_York"),
        ("Japan", "Asia/Tokyo"),
        ("UK", "Europe/London"),
        ("北京时间", "Asia/Shanghai"),
        ("北京市", "Asia/Shanghai"),
        ("纽约现在", "America/New_York"),
        ("日本东京", "Asia/Tokyo"),
        ("美国西部时间", "America/Los_Angeles"),
        ("德国", "Europe/Berlin"),
    ],
)
def test_a_place_is_understood_as_people_write_it(said: str, zone: str) -> None:
    assert find_place(said).zone_name == zone


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("UTC+8", "17:00 on Monday, 5 January 2026 in UTC+8 (UTC+08:00)"),
        ("utc -3:30", "05:30 on Monday, 5 January 2026 in UTC-3:30 (UTC-03:30)"),
        ("GMT+0530", "14:30 on Monday, 5 January 2026 in UTC+5:30 (UTC+05:30)"),
        ("东八区", "17:00 on Monday, 5 January 2026 in UTC+8 (UTC+08:00)"),
        ("西五区", "04:00 on Monday, 5 January 2026 in UTC-5 (UTC-05:00)"),
    ],
)
async def test_an_offset_is_a_place_too(said: str, shown: str) -> None:
    assert shown in await ask_now(said)


@pytest.mark.parametrize(
    ("said", "locale", "told"),
    [
        ("Londn", "en", "I do not know the place 'Londn'; did you mean London?"),
        ("Gondolin", "en", "name a large city, land or zone"),
        ("UTC+25", "en", "I do not know the place 'UTC+25'"),
        ("", "en", "I do not know the place ''"),
        ("the US", "en", "United States has several times; name a city, such as New York"),
        ("火星", "zh", "我不知道'火星'在哪里"),
        ("美国", "zh-CN", "美国有几个时区，请说城市，例如纽约、芝加哥"),
    ],
)
async def test_an_unknown_place_is_told_with_what_was_probably_meant(
    said: str, locale: str, told: str
) -> None:
    with pytest.raises(ToolRetry) as caught:
        await ask_now(said, locale)
    assert told in str(caught.value)


async def test_a_time_is_converted_with_both_days_and_zones() -> None:
    assert await ask_convert("15:30", "London", "Tokyo") == (
        "15:30 on Monday, 5 January 2026 in London (Europe/London, GMT, UTC+00:00) "
        "is 00:30 on Tuesday, 6 January 2026 in Tokyo (Asia/Tokyo, JST, UTC+09:00)."
    )
    assert await ask_convert("下午三点半", "北京", "纽约", locale="zh") == (
        "北京2026年1月5日星期一 15:30（Asia/Shanghai，CST，UTC+08:00）"
        "是纽约2026年1月5日星期一 02:30（America/New_York，EST，UTC-05:00）。"
    )


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ("now", "09:00 on Monday, 5 January"),
        ("3pm", "15:00 on Monday, 5 January"),
        ("12am", "00:00 on Monday, 5 January"),
        ("12 p.m.", "12:00 on Monday, 5 January"),
        ("3 o'clock", "03:00 on Monday, 5 January"),
        ("9 in the evening", "21:00 on Monday, 5 January"),
        ("nine in the morning", "09:00 on Monday, 5 January"),
        ("half past 3", "03:30 on Monday, 5 January"),
        ("9 at night", "21:00 on Monday, 5 January"),
        ("two at night", "02:00 on Monday, 5 January"),
        ("12 at night", "00:00 on Tuesday, 6 January"),
        ("tonight at 8", "20:00 on Monday, 5 January"),
        ("eight tonight", "20:00 on Monday, 5 January"),
        ("half past 8 tonight", "20:30 on Monday, 5 January"),
        ("10 after 8 tonight", "20:10 on Monday, 5 January"),
        ("tonight at 8:15pm", "20:15 on Monday, 5 January"),
        ("tonight at 20:15", "20:15 on Monday, 5 January"),
        ("tonight at 12:30", "00:30 on Tuesday, 6 January"),
        ("midnight tonight", "00:00 on Tuesday, 6 January"),
        ("1 am tonight", "01:00 on Tuesday, 6 January"),
        ("tomorrow night at nine", "21:00 on Tuesday, 6 January"),
        ("quarter to 1", "00:45 on Monday, 5 January"),
        ("noon", "12:00 on Monday, 5 January"),
        ("midnight", "00:00 on Monday, 5 January"),
        ("24:00", "00:00 on Tuesday, 6 January"),
        ("1530", "15:30 on Monday, 5 January"),
        ("8am tomorrow", "08:00 on Tuesday, 6 January"),
        ("friday 10:15", "10:15 on Friday, 9 January"),
        ("next monday at 8:00", "08:00 on Monday, 12 January"),
        ("2026-02-03T08:00", "08:00 on Tuesday, 3 February"),
        ("8:00 on 3 March", "08:00 on Tuesday, 3 March"),
        ("March 3rd, 2027 8:00", "08:00 on Wednesday, 3 March 2027"),
        ("现在", "09:00 on Monday, 5 January"),
        ("晚上8点", "20:00 on Monday, 5 January"),
        ("晚上12点", "00:00 on Tuesday, 6 January"),
        ("中午", "12:00 on Monday, 5 January"),
        ("中午一点", "13:00 on Monday, 5 January"),
        ("凌晨两点一刻", "02:15 on Monday, 5 January"),
        ("十五点三十分", "15:30 on Monday, 5 January"),
        ("二十三点", "23:00 on Monday, 5 January"),
        ("明天早上九点", "09:00 on Tuesday, 6 January"),
        ("今晚八点", "20:00 on Monday, 5 January"),
        ("今晚8:30", "20:30 on Monday, 5 January"),
        ("今晚十二点", "00:00 on Tuesday, 6 January"),
        ("今晚凌晨一点", "01:00 on Tuesday, 6 January"),
        ("夜里两点", "02:00 on Monday, 5 January"),
        ("下周一上午10点", "10:00 on Monday, 12 January"),
        ("星期二下午两点", "14:00 on Tuesday, 6 January"),
        ("3月5日 8:30", "08:30 on Thursday, 5 March"),
    ],
)
async def test_a_time_is_understood_as_people_write_it(said: str, moment: str) -> None:
    assert (await ask_convert(said, "London", "Tokyo")).startswith(moment)


async def test_the_day_is_the_one_at_the_first_place() -> None:
    # It is Monday, 09:00 UTC: in Kiritimati it is Monday 23:00, in Honolulu still Sunday.
    assert "on Sunday, 4 January" in await ask_convert("12:00", "Honolulu", "UTC")
    day = await ask_convert("12:00", "London", "Tokyo", date="2026-07-01")
    assert day.startswith("12:00 on Wednesday, 1 July 2026 in London (Europe/London, BST")
    tonight = await ask_convert("8:30", "London", "Tokyo", date="tonight")
    assert tonight.startswith("20:30 on Monday, 5 January 2026 in London")


@pytest.mark.parametrize(
    ("time", "date", "told"),
    [
        ("soon", "", "write the time as HH:MM, not 'soon'"),
        ("25:00", "", "write the time as HH:MM"),
        ("13pm?", "", "write the time as HH:MM"),
        ("tonight", "", "write the time as HH:MM, not 'tonight'"),
        ("last night at 9", "", "write the time as HH:MM"),
        ("12:75", "", "write the time as HH:MM"),
        ("12:00", "03/04/2026", "write the date as YYYY-MM-DD"),
        ("12:00", "2027-02-29", "there is no such day"),
        ("12:00", "9999-01-01", "there is no such day"),
    ],
)
async def test_an_unclear_time_is_told_with_the_form_to_write(
    time: str, date: str, told: str
) -> None:
    with pytest.raises(ToolRetry, match=told):
        await ask_convert(time, "London", "Tokyo", date=date)


async def test_a_time_that_the_clocks_skip_is_explained_and_moved_on() -> None:
    said = await ask_convert("02:30", "Berlin", "UTC", date="2026-03-29")
    assert said == (
        "There is no 02:30 on Sunday, 29 March 2026 in Berlin: the clocks go from 02:00 to 03:00. "
        "Moved on, 03:30 on Sunday, 29 March 2026 in Berlin "
        "(Europe/Berlin, CEST, UTC+02:00, summer time) is 01:30 on Sunday, 29 March 2026 in UTC."
    )
    said = await ask_convert("02:30", "柏林", "北京", date="2026-03-29", locale="zh")
    assert said.startswith("柏林没有2026年3月29日星期日 02:30：时钟从02:00直接拨到03:00。")


async def test_a_time_that_comes_twice_is_answered_twice() -> None:
    said = await ask_convert("02:30", "Berlin", "UTC", date="2026-10-25")
    assert said.startswith("02:30 on Sunday, 25 October 2026 comes twice in Berlin: ")
    assert "the clocks go back from 03:00 to 02:00" in said
    assert "is 00:30 on Sunday, 25 October 2026 in UTC" in said
    assert "is 01:30 on Sunday, 25 October 2026 in UTC" in said
    said = await ask_convert("02:30", "柏林", "北京", date="2026-10-25", locale="zh")
    assert "会出现两次" in said


async def test_odd_clock_changes_are_told_exactly() -> None:
    half_hour = await ask_convert("02:15", "Australia/Lord_Howe", "UTC", date="2026-10-04")
    assert "the clocks go from 02:00 to 02:30" in half_hour
    whole_day = await ask_convert("12:00", "Apia", "UTC", date="2011-12-30")
    assert "from 00:00 on Friday, 30 December 2011 to 00:00 on Saturday, 31" in whole_day
    assert "Moved on, 12:00 on Saturday, 31 December 2011" in whole_day


def test_the_examples_name_places_that_the_schema_shows_or_none() -> None:
    shown = now.spec.parameters["properties"]["place"]["examples"]
    assert all(any(place in said for place in shown) for said in convert.spec.examples)
    placeless = [said for said in now.spec.examples if not any(place in said for place in shown)]
    assert placeless == ["what time is it?", "what's today's date", "现在几点了?", "今天几号"]


@given(
    st.text(max_size=40),
    st.text(alphabet="0123456789:apm.零三十点半下午今明晚 月日/-next monight", max_size=30),
)
async def test_no_text_does_worse_than_a_sentence(place: str, time: str) -> None:
    for start in (place, "London"):
        try:
            said = await ask_convert(time, start, "Tokyo")
        except ToolRetry as error:
            said = str(error)
        assert 0 < len(said) < 600
