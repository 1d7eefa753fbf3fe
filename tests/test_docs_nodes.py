"""What is said of a password and of a new database is what the code says and does."""

from pathlib import Path
from urllib.parse import quote

from bot.app.commands import _NO_TABLES
from bot.units import _UNREADABLE

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "nodes.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / "config.example.yaml").read_text(encoding="utf-8")
SIGNS = "/ ? # @ [ %"


def test_the_page_says_of_a_new_database_what_check_says() -> None:
    said = _NO_TABLES.en.partition(";")[0]
    assert f'"{said}"' in PAGE


def test_the_signs_of_a_password_are_written_as_they_are_read() -> None:
    codes = " ".join(quote(sign, safe="") for sign in SIGNS.split())
    for text in (PAGE, EXAMPLE, _UNREADABLE):
        assert SIGNS in text
        assert codes in text
