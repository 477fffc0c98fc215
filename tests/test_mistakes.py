"""Mistakes in a file, told in the words of whoever wrote it."""

from typing import Annotated, Any, Literal

import pytest
from annotated_types import Gt, Le
from pydantic import Field

from mdl.mistakes import likely, mend, sentences, table_at
from mdl.settings import Settings


class Cat(Settings):
    type: Literal["cat"] = "cat"
    naps: int = 3
    share: Literal["minimum"] | Annotated[float, Gt(0), Le(1)] = "minimum"


class Dog(Settings):
    type: Literal["dog"] = "dog"
    tricks: list[float] | None = None


class Bowl(Settings):
    litres: float = 1.0


class Seed(Settings):
    type: Literal["seed"] = "seed"
    bowl: Bowl | None = None


class Wood(Settings):
    type: Literal["wood"]  # must be given, as what follows must
    pieces: list[int]


class House(Settings):
    number: int
    open: bool = True
    colour: Literal["red", "green"] = "red"
    bowl: Bowl | None = None
    animal: Annotated[Cat | Dog, Field(discriminator="type")] = Cat()
    stock: Annotated[Seed | Wood, Field(discriminator="type")] = Seed()


def told(**tables: Any) -> list[str]:
    """What is said of a house with these keys, a number apart."""
    return sentences({"number": 1, **tables}, House)


def test_nothing_is_said_of_what_is_right() -> None:
    assert told(animal={"type": "dog", "tricks": [1]}, bowl={"litres": 2}) == []


@pytest.mark.parametrize(
    ("tables", "sentence"),
    [
        ({"number": "1"}, "number: should be a whole number, not '1'"),
        ({"open": 1}, "open: should be true or false, not 1"),
        ({"open": "yes"}, "open: should be true or false, not 'yes'"),
        ({"number": True}, "number: should be a whole number, not true"),
        ({"bowl": 3}, "bowl: should be a table, not 3"),
        ({"bowl": {"litres": "full"}}, "bowl.litres: should be a number, not 'full'"),
        ({"bowl": {"litres": {}}}, "bowl.litres: should be a number, not a table"),
        ({"animal": {}}, "animal.type: is missing (allowed: 'cat', 'dog')"),
        ({"animal": "dog"}, "animal: should be a table, not 'dog'; did you mean animal.type?"),
        ({"animal": {"type": "dog", "tricks": 1}}, "animal.tricks: should be a list, not 1"),
        ({"animal": {"type": "dog", "tricks": [1, "sit"]}}, "animal.tricks.1: should be a number, not 'sit'"),
        ({"animal": {"type": 3}}, "animal.type: 3 is unknown (allowed: 'cat', 'dog')"),
        ({"stock": {"type": "coal"}}, "stock.type: 'coal' is unknown (allowed: 'seed', 'wood')"),
        ({"stock": {"type": "wood"}}, "stock.pieces: is missing"),
        (
            {"stock": {"type": "wood", "pieces": [1, "x"]}},
            "stock.pieces.1: should be a whole number, not 'x'",
        ),
    ],
)
def test_a_sentence_gives_the_place_the_value_and_what_is_allowed(
    tables: dict[str, Any], sentence: str
) -> None:
    assert told(**tables) == [sentence]


def test_a_missing_key_is_named() -> None:
    assert sentences({}, House) == ["number: is missing"]


def test_a_word_that_is_nearly_one_of_the_allowed_is_asked_about() -> None:
    assert told(colour="gren") == ["colour: should be 'red' or 'green', not 'gren'; did you mean 'green'?"]


def test_a_value_that_fits_none_of_several_types_gives_one_sentence() -> None:
    assert told(animal={"type": "cat", "share": "max"}) == [
        "animal.share: should be 'minimum', or a number, not 'max'"
    ]
    assert told(animal={"type": "cat", "share": 2.0}) == [
        "animal.share: should be 'minimum', or less than or equal to 1, not 2.0"
    ]


@pytest.mark.parametrize("key", ["cat", "int", "floats", "literal['minimum']", "model_fields"])
def test_an_unknown_key_keeps_its_place_whatever_it_is_called(key: str) -> None:
    [sentence] = told(animal={"type": "cat", key: 1})
    assert sentence.startswith(f"animal.{key}: unknown key")


def test_an_unknown_key_is_told_what_is_known_and_what_was_likely_meant() -> None:
    assert told(bowl={"liters": 2.0}) == ["bowl.liters: unknown key; did you mean litres? (known: litres)"]
    assert told(garden={})[0].startswith("garden: unknown table (known: number, open,")


@pytest.mark.parametrize("word", ["Dog", "DGO"])
def test_a_word_is_near_whatever_its_case(word: str) -> None:
    [sentence] = told(animal={"type": word})
    assert "; did you mean 'dog'?" in sentence


def test_text_in_place_of_a_table_that_has_a_type_leads_to_the_type() -> None:
    assert told(animal="") == ["animal: should be a table, not ''; did you mean animal.type?"]


@pytest.mark.parametrize(
    ("tables", "sentence"),
    [
        ({"naps": 2}, "naps: unknown key; did you mean animal.naps? "),
        ({"animal": {"type": "cat", "colour": "red"}}, "animal.colour: unknown key; did you mean colour? "),
        (
            {"animal": {"type": "cat", "tricks": []}},
            "animal.tricks: unknown key; tricks is a key of type = 'dog', and the type here is 'cat': set "
            "animal.type as well ",
        ),
        (
            {"stock": {"type": "wood", "pieces": [], "bowl": {}}},
            "stock.bowl: unknown table; did you mean bowl? In stock, bowl is a key of type = 'seed', and the "
            "type here is 'wood' (known: ",
        ),
    ],
)
def test_a_key_of_another_table_or_type_is_sent_home(tables: dict[str, Any], sentence: str) -> None:
    [found] = told(**tables)
    assert found.startswith(sentence)


def test_a_key_of_another_table_is_not_taken_for_a_slip() -> None:
    assert mend({"number": 1, "bowl": {"number": 2}}, House)[0] == []
    assert mend({"number": 1, "naps": 2}, House)[0] == []


def test_a_long_value_is_cut() -> None:
    [sentence] = told(number="9" * 1000)
    assert len(sentence) < 120


def test_behind_a_slip_of_the_pen_the_other_mistakes_are_found() -> None:
    tables = {"numbr": "1", "anmal": {"type": "dgo", "trick": 7, "whiskers": 2}}
    slips, mended = mend(tables, House)
    assert [slip.partition(";")[0] for slip in slips] == [
        "numbr: unknown key",
        "anmal: unknown table",
        "animal.type: 'dgo' is unknown",
        "animal.trick: unknown key",
    ]
    assert sentences(mended, House) == [
        "number: should be a whole number, not '1'",
        "animal.tricks: should be a list, not 7",
    ]


def test_mending_leaves_the_tables_as_they_were() -> None:
    tables = {"number": 1, "bowll": {"litres": 1.0}}
    mend(tables, House)
    assert tables == {"number": 1, "bowll": {"litres": 1.0}}


def test_what_is_right_needs_no_mending() -> None:
    assert mend({"number": 1}, House) == ([], {"number": 1})


def test_a_slip_beside_the_right_key_stays_a_mistake() -> None:
    slips, mended = mend({"number": 1, "numbr": 2}, House)
    assert slips == []
    assert sentences(mended, House)[0].startswith("numbr: unknown key; did you mean number?")


def test_a_type_that_resembles_none_is_not_guessed() -> None:
    slips, mended = mend({"number": 1, "animal": {"type": "hippopotamus"}}, House)
    assert slips == []
    assert sentences(mended, House) == ["animal.type: 'hippopotamus' is unknown (allowed: 'cat', 'dog')"]


def test_a_table_is_found_by_its_type() -> None:
    tables = {"animal": {"type": "dog"}, "bowl": {}}
    assert table_at(House, ["animal"], tables) is Dog
    assert table_at(House, ["bowl"], tables) is Bowl
    assert table_at(House, [], tables) is House
    assert table_at(House, ["animal"], {"animal": {"type": "cow"}}) is None
    assert table_at(House, ["garden"], {}) is None
    assert table_at(House, ["number", "digit"], {"number": 3}) is None


def test_only_a_near_word_is_asked_about() -> None:
    assert likely("sistems", ["systems", "models"]) == "; did you mean systems?"
    assert likely("x", ["systems", "models"]) == ""
