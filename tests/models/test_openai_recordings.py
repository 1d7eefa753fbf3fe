"""Every recording of a model service, replayed by a peer, streamed and not, whole and chopped."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.domain.conversation import Usage
from bot.domain.model import Reason
from bot.errors import ContextTooLong, ParleyError, Permanent, Transient
from bot.models.failures import Busy
from tests.models.asking import (
    asking,
    calls_of,
    collect,
    end_of,
    speaking_to,
    text_of,
    thoughts_of,
)
from tests.peers.model import ModelPeer
from tests.peers.model_answers import Replay, always

pytestmark = pytest.mark.fixtures
WATCHED = pytest.mark.parametrize("watched", [True, False], ids=["streamed", "whole"])
WEATHER = (("weather", '{"location": "San Francisco"}'),)


@dataclass(frozen=True)
class Says:
    """What has to come out of a recording; `text` is how much at least, in characters."""

    text: int = 0
    calls: tuple[tuple[str, str], ...] = ()
    thinks: bool = False
    reason: Reason = Reason.STOP
    usage: Usage | None = None


ANSWERS = {
    "azure_completion.json": Says(text=50, usage=Usage(15, 24)),
    "azure_completion_filtered.json": Says(reason=Reason.FILTERED, usage=Usage(15, 19)),
    "azure_completion_reasoning_tokens.json": Says(text=1, usage=Usage(11, 203, 0, 192)),
    "azure_deepseek_reasoning.json": Says(text=1000, thinks=True, usage=Usage(19, 1969)),
    "azure_stream_filter_first_chunk.sse.txt": Says(text=15, usage=Usage(15, 78, 0, 64)),
    "azure_stream_recorded.sse.txt": Says(text=50),
    "deepseek_completion_reasoning.json": Says(text=50, thinks=True, usage=Usage(18, 345, 0, 315)),
    "deepseek_completion_tool_call.json": Says(
        calls=WEATHER, thinks=True, reason=Reason.TOOLS, usage=Usage(339, 92, 320, 48)
    ),
    "deepseek_stream_reasoning.sse.txt": Says(text=40, thinks=True, usage=Usage(18, 219, 0, 205)),
    "deepseek_stream_text.sse.txt": Says(text=50, reason=Reason.LENGTH, usage=Usage(13, 400)),
    "deepseek_stream_tool_call.sse.txt": Says(
        calls=WEATHER, thinks=True, reason=Reason.TOOLS, usage=Usage(339, 83, 320, 39)
    ),
    "groq_completion_reasoning.json": Says(text=50, thinks=True),
    "groq_completion_text.json": Says(text=500),
    "groq_stream_tool_call.sse.txt": Says(
        calls=(("weather", "{}"),), reason=Reason.TOOLS, usage=Usage(210, 15)
    ),
    "llamacpp_stream_tool_call_repeats_name.json": Says(
        calls=(("get_time", '{"city":"x"}'),), reason=Reason.TOOLS
    ),
    "mistral_completion_reasoning_list_content.json": Says(
        text=9, thinks=True, usage=Usage(10, 46)
    ),
    "mistral_stream_incremental_tool_call.sse.txt": Says(
        calls=(("webSearchTool", '{"query": "current Berlin weather"}'),), reason=Reason.TOOLS
    ),
    "mistral_stream_reasoning_list_content.sse.txt": Says(text=9, thinks=True, usage=Usage(10, 46)),
    "moonshot_completion_tool_call.json": Says(
        calls=(("get_weather", '{"city":"Paris"}'),), reason=Reason.TOOLS, usage=Usage(30, 12)
    ),
    "moonshot_stream_usage_in_choice.sse.txt": Says(text=6, thinks=True, usage=Usage(9, 12, 0, 7)),
    "openai_completion_after_tool.json": Says(text=20, usage=Usage(40, 12)),
    "openai_completion_tool_call.json": Says(
        calls=(("get_current_weather", '{"location":"San Francisco"}'),),
        reason=Reason.TOOLS,
        usage=Usage(68, 16),
    ),
    "openai_stream_recorded.sse.txt": Says(text=50, usage=Usage(10, 50)),
    "openai_stream_tool_call_recorded.sse.txt": Says(
        calls=(("get_current_weather", '{"location":"San Francisco"}'),), reason=Reason.TOOLS
    ),
    "qwen_stream_reasoning.sse.txt": Says(text=20, thinks=True, usage=Usage(24, 1355, 0, 1084)),
    # xAI leaves the reasoning out of completion_tokens; the total tells.
    "xai_completion_tool_call.json": Says(
        calls=(("weather", '{"location":"San Francisco"}'),),
        thinks=True,
        reason=Reason.TOOLS,
        usage=Usage(291, 215, 244, 189),
    ),
    "xai_stream_text.sse.txt": Says(text=5, thinks=True, usage=Usage(12, 291, 11, 290)),
}
FAILURES: dict[str, tuple[type[ParleyError], int]] = {
    "constructed_error_401.json": (Permanent, 401),
    "constructed_error_429_quota.json": (Permanent, 429),
    "constructed_error_429_rate.json": (Busy, 429),
    "constructed_error_500_html.json": (Transient, 502),
    "constructed_error_context_length.json": (ContextTooLong, 400),
    "error_temperature_unsupported.json": (Permanent, 400),
    "openai_embedding.json": (Permanent, 200),
    "responses_error.json": (Permanent, 200),
    "responses_stream_error.sse.txt": (Permanent, 200),
}


def folder(shared: Path | None) -> Path:
    assert shared is not None
    return shared / "fixtures" / "openai"


def test_every_recording_has_its_expectation(shared: Path | None) -> None:
    there = {path.name for path in folder(shared).iterdir()} - {"index.md"}
    assert there == ANSWERS.keys() | FAILURES.keys()


@WATCHED
@pytest.mark.parametrize("chop", [None, 7, 1460])
@pytest.mark.parametrize("name", ANSWERS)
async def test_a_recorded_answer_is_understood(
    name: str, chop: int | None, watched: bool, shared: Path | None
) -> None:
    says = ANSWERS[name]
    replay = Replay(folder(shared) / name, chop=chop)
    async with ModelPeer(always(replay)) as peer, speaking_to(peer.base_url) as model:
        deltas = await collect(model, asking(watched=watched))
    assert len(text_of(deltas)) >= says.text
    assert bool(text_of(deltas)) == bool(says.text)
    assert tuple((call.name, call.arguments) for call in calls_of(deltas)) == says.calls
    assert bool(thoughts_of(deltas)) == says.thinks
    assert end_of(deltas).reason is says.reason
    counted = [delta for delta in deltas if isinstance(delta, Usage)]
    assert len(counted) <= 1
    if says.usage is not None:
        assert counted == [says.usage]


@WATCHED
@pytest.mark.parametrize("name", FAILURES)
async def test_a_recorded_failure_is_sorted(name: str, watched: bool, shared: Path | None) -> None:
    expected, status = FAILURES[name]
    replay = Replay(folder(shared) / name, status=status)
    async with ModelPeer(always(replay)) as peer, speaking_to(peer.base_url) as model:
        with pytest.raises(expected) as caught:
            await collect(model, asking(watched=watched))
    assert type(caught.value) is expected
    assert "quota, please" not in str(caught.value)


async def test_the_recorded_rate_limit_says_when_to_come_back(shared: Path | None) -> None:
    replay = Replay(folder(shared) / "constructed_error_429_rate.json")
    async with ModelPeer(always(replay)) as peer, speaking_to(peer.base_url) as model:
        with pytest.raises(Busy) as caught:
            await collect(model, asking())
    assert caught.value.retry_after is not None
    assert caught.value.retry_after.total_seconds() == 2


@pytest.mark.parametrize("name", [name for name in ANSWERS if name.endswith(".sse.txt")])
async def test_a_recorded_stream_cut_anywhere_is_a_failure_or_the_whole_answer(
    name: str, shared: Path | None, tmp_path: Path
) -> None:
    raw = (folder(shared) / name).read_bytes()
    whole = ""
    for tenths in (10, 9, 8, 6, 4, 2, 1, 0):
        cut = tmp_path / f"{tenths}.sse.txt"
        cut.write_bytes(raw[: len(raw) * tenths // 10] or b": nothing\n\n")
        replay = Replay(cut)
        async with ModelPeer(always(replay)) as peer, speaking_to(peer.base_url) as model:
            try:
                text = text_of(await collect(model, asking()))
            except Transient:
                assert tenths < 10
                continue
        whole = whole or text
        assert text == whole
