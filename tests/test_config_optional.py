"""Whether a plugin may be missing is said in every way in which a setting may be said."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.config_files import loaded, problems

GONE = "adapters: {{}}\nplugins: [{{use: ./gone.py{more}}}]"
MISSING = "plugins.0.use (config.yaml line 2): './gone.py': there is no file "


@pytest.mark.parametrize(
    ("more", "environ"),
    [
        (", optional: true", {}),
        (', optional: "true"', {}),
        (", optional: yes", {}),
        (', optional: "${MAY_MISS:-true}"', {}),
        (', optional: "${MAY_MISS}"', {"MAY_MISS": "true"}),
        ("", {"PARLEY_PLUGINS__0__OPTIONAL": "true"}),
        (", optional: false", {"PARLEY_PLUGINS__0__OPTIONAL": "1"}),
        # Of its own keys nobody knows anything.
        (
            ', optional: true, token: "${NEVER_SET}"',
            {"PARLEY_PLUGINS__0__COLOUR": "red", "PARLEY_PLUGINS__0__TOKEN": "x"},
        ),
    ],
)
def test_one_that_is_missing_is_left_out(
    tmp_path: Path, more: str, environ: Mapping[str, str]
) -> None:
    found = loaded(tmp_path, GONE.format(more=more), environ)
    assert "there is no file" in found.absent["plugins.0"]
    (plugin,) = found.settings.plugins
    assert (plugin.use, plugin.optional) == ("./gone.py", True)


def test_a_file_may_say_it_for_the_environment(tmp_path: Path) -> None:
    (tmp_path / "optional").write_text("true\n", encoding="utf-8")
    environ = {"PARLEY_PLUGINS__0__OPTIONAL_FILE": str(tmp_path / "optional")}
    assert "plugins.0" in loaded(tmp_path, GONE.format(more=""), environ).absent


@pytest.mark.parametrize(
    ("more", "environ"),
    [
        ("", {}),
        (", optional: false", {}),
        (', optional: "${MAY_MISS:-false}"', {}),
        (", optional: true", {"PARLEY_PLUGINS__0__OPTIONAL": "false"}),
    ],
)
def test_one_that_must_be_there_stops_the_start(
    tmp_path: Path, more: str, environ: Mapping[str, str]
) -> None:
    (problem,) = problems(tmp_path, GONE.format(more=more), environ)
    assert problem.startswith(MISSING)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (", optional: perhaps", 'plugins.0.optional is "perhaps" (config.yaml line 2): write true'),
        (', optional: "${NEVER_SET}"', "plugins.0.optional (config.yaml line 2): the environment"),
    ],
)
def test_what_is_neither_yes_nor_no_is_told_beside_what_is_missing(
    tmp_path: Path, more: str, said: str
) -> None:
    missing, unclear = problems(tmp_path, GONE.format(more=more))
    assert missing.startswith(MISSING)
    assert unclear.startswith(said)
