"""Why a model would not answer is in the operator's log, and nobody's words are."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.inside import inside
from tests.peers.faults import answered
from tests.peers.model import ModelPeer, out_of_quota
from tests.peers.model_answers import echo

LOG = {"format": "json", "level": "warning"}
NO_MODEL = {"code": "model_not_found", "type": "canary", "message": "You asked me: canary"}
ODD = {"code": "canary", "type": "canary", "message": "You asked me: canary"}


def failures(capsys: pytest.CaptureFixture[str]) -> list[Mapping[str, Any]]:
    """The lines about it; no word of a person or a provider is anywhere in the log."""
    written = capsys.readouterr().err
    assert "canary" not in written
    lines = [json.loads(line) for line in written.splitlines()]
    return [line for line in lines if line["event"] == "model.failed"]


@pytest.mark.parametrize(
    ("error", "reason"), [(NO_MODEL, "HTTP 404 model_not_found"), (ODD, "HTTP 404")]
)
async def test_the_log_says_why_the_person_was_told_that_it_would_not_take_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], error: Mapping[str, str], reason: str
) -> None:
    async with ModelPeer(echo()) as model, inside(tmp_path, model, log=LOG, quiet=False) as house:
        model.faults.plan(answered("refused", 404, {"error": error}))
        said = await house.ask("canary")
    assert "can see why" in said
    (line,) = failures(capsys)
    assert (line["level"], line["rung"], line["reason"]) == ("warning", "main", reason)


async def test_a_main_model_that_always_fails_is_seen_behind_the_one_that_stands_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = {"fallback": ["second"]}
    async with (
        ModelPeer(echo()) as main,
        ModelPeer(echo()) as spare,
        inside(tmp_path, main, spare, answer=answer, log=LOG, quiet=False) as house,
    ):
        main.faults.plan(out_of_quota(), times=2)
        for _ in range(2):
            assert (await house.ask("canary")).startswith("You said")
    reasons = [(line["rung"], line["reason"]) for line in failures(capsys)]
    quota = "HTTP 429 insufficient_quota: the account has no quota left"
    assert reasons == [("main", quota)] * 2
