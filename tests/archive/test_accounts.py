"""Which passwords may be."""

from __future__ import annotations

import pytest

from archive.accounts import check_password
from archive.domain.errors import PoorPassword


@pytest.mark.parametrize(
    "password",
    [
        "password1",
        "qwertyuiop",
        "Aa123456!",
        "19841984",
        "n.sabitov1",
        "Пароль12",
        "йцукенгшщз",
        "a" * 256,
    ],
)
def test_what_is_guessed_easily_is_no_password(password: str) -> None:
    with pytest.raises(PoorPassword, match="guessed too easily"):
        check_password(password, "n.sabitov")


@pytest.mark.parametrize("password", ["жаңа ұзын құпиясөз", "correct horse battery", "kX9#mQ2v", "три зимних вечера"])
def test_what_is_not_may_be(password: str) -> None:
    check_password(password, "n.sabitov")


@pytest.mark.parametrize("password", ["kX9#mQ2", "kX9#mQ2v" * 33])
def test_length(password: str) -> None:
    with pytest.raises(PoorPassword, match="8 to 256"):
        check_password(password, "n.sabitov")
