"""The denial codes: the numbers the reference notes confirm, each with a short wording."""

import re

import pytest

from covrules.codes.denials import CARC, CONFIRMED, RARC, Code

CARC_NUMBERS = """
26 27 200 31 19 20 21 22 204 96 272 273 50 55 56 49 167 11 12 146 173 174 175 176 184 183 185 170 B7 8
299 288 287 165 197 198 210 284 296 302 39 15 242 243 279 38 119 35 149 151 152 222 B14 236 231 97 4 5 58
16 252 251 163 148 227 226 B12 112 29 18 B15 107 206 207 208 P17 P21 P13 P16 1 2 3 187
""".split()
RARC_NUMBERS = "M76 M53 N362 N640 N435 N130 N95 N574 N286 N290 N31 N630 M62 N674 N822 N20 N115".split()


def test_the_listed_numbers_and_no_others() -> None:
    assert sorted(CARC) == sorted(CARC_NUMBERS)
    assert sorted(RARC) == sorted(RARC_NUMBERS)


@pytest.mark.parametrize("codes", [CARC, RARC])
def test_wordings_are_short_and_distinct(codes: dict[str, Code]) -> None:
    assert all(0 < len(code.meaning) <= 72 for code in codes.values())
    assert len({code.meaning for code in codes.values()}) == len(codes)


def test_every_number_says_where_it_was_confirmed() -> None:
    assert {code.source for code in [*CARC.values(), *RARC.values()]} == set(CONFIRMED)


@pytest.mark.parametrize("codes", [CARC, RARC])
def test_numbers_are_written_as_on_a_remittance(codes: dict[str, Code]) -> None:
    assert all(re.fullmatch(r"[A-Z]?[1-9][0-9]*", number) for number in codes)


def test_the_tables_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        CARC["999"] = "no"  # type: ignore[index]


@pytest.mark.parametrize(
    ("number", "word"),
    [
        ("174", "before"),
        ("175", "incomplete"),
        ("176", "current"),
        ("287", "used up"),
        ("288", "absent"),
        ("197", "absent"),
        ("198", "used up"),
        ("302", "expired"),
        ("29", "late"),
        ("170", "kind of provider"),
    ],
)
def test_meanings_that_are_easily_swapped(number: str, word: str) -> None:
    assert word in CARC[number].meaning
