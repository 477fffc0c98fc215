"""What pydantic finds wrong, in the words of somebody who wrote the file."""

import copy
import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError

_SHOWN_LENGTH: Final = 60
"""A value that is written longer is cut, so that a sentence stays one."""

_KINDS: Final = {
    "bool_type": "true or false",
    "float_type": "a number",
    "int_type": "a whole number",
    "list_type": "a list",
    "string_type": "a string, in quotes",
}
"""What pydantic calls a valid integer, and so on."""


def mend(tables: Mapping[str, Any], settings: type[BaseModel]) -> tuple[list[str], dict[str, Any]]:
    """Undo what looks like a slip of the pen, so that what stands behind it can be checked too.

    Returns:
        A sentence for each slip, and the tables as they were probably meant. What they hold is wrong all the
        same: they serve to find more mistakes, never to run.
    """
    found, mended = [], copy.deepcopy(dict(tables))
    while (sentence := _mend_one(mended, settings)) is not None:
        found.append(sentence)
    return found, mended


def sentences(tables: Mapping[str, Any], settings: type[BaseModel]) -> list[str]:
    """Give one sentence a mistake: the place, what is wrong, what is allowed."""
    found, refused = [], dict[str, list[Any]]()
    for problem in _problems(tables, settings):
        name = _name(problem, settings)
        if _expected(problem) is None:
            found.append(f"{name}: {_said(problem, settings, tables)}")
        else:
            # A value that may be of several types is refused by each of them: one sentence for all.
            refused.setdefault(name, []).append(problem)
    return [*found, *(f"{name}: {_unfit(problems)}" for name, problems in refused.items())]


def table_at(
    settings: type[BaseModel], place: Sequence[str], tables: Mapping[str, Any]
) -> type[BaseModel] | None:
    """Find the settings of the table at `place`, following each table's `type`; None if there are none."""
    here: Any = tables
    for key in place:
        here = here.get(key, {}) if isinstance(here, Mapping) else {}
        chosen = here.get("type") if isinstance(here, Mapping) else None
        below = list(_tables_of(settings, key))
        matching = [table for table in below if _type_of(table) == chosen]
        if not matching and len(below) != 1:
            return None
        settings = (matching or below)[0]
    return settings


def likely(word: str, known: Iterable[str]) -> str:
    """Ask whether another word was meant: ``; did you mean ...?``, or nothing if none is near."""
    return _question(_likely(word, known))


# ---------------------------------------------------------------------------------------------------------
# slips


def _mend_one(tables: dict[str, Any], settings: type[BaseModel]) -> str | None:
    for problem in _problems(tables, settings):
        place, table = _resolve(problem["loc"], settings)
        said = f"{_name(problem, settings)}: {_said(problem, settings, tables)}"
        if (
            problem["type"] == "extra_forbidden"
            and _at_home(problem["loc"], settings) is None
            and _mend_key(_at(tables, place[:-1]), place[-1], table)
        ):
            return said
        if problem["type"] == "union_tag_invalid" and _mend_type(
            _at(tables, place), list(_candidates(problem["loc"], settings))
        ):
            return said
    return None


def _mend_key(here: dict[str, Any], key: str, settings: type[BaseModel]) -> bool:
    """Rename an unknown key to the known one it looks like, unless that is there too."""
    guess = _likely(key, settings.model_fields)
    if guess is None or guess in here:
        return False
    here[guess] = here.pop(key)
    return True


def _mend_type(here: dict[str, Any], candidates: Sequence[type[BaseModel]]) -> bool:
    guess = _likely(here["type"], map(str, map(_type_of, candidates)))
    if guess is None:
        return False
    here["type"] = guess
    [settings] = [table for table in candidates if _type_of(table) == guess]
    # What a type that is only guessed does not know is not held against the file, unless it is near.
    for key in [key for key in here if key not in settings.model_fields]:
        if _likely(key, settings.model_fields) is None:
            del here[key]
    return True


def _at(tables: dict[str, Any], place: Sequence[str]) -> dict[str, Any]:
    for key in place:
        tables = tables[key]
    return tables


# ---------------------------------------------------------------------------------------------------------
# words


def _name(problem: Any, settings: type[BaseModel]) -> str:
    place, _ = _resolve(problem["loc"], settings)
    return ".".join([*place, *(["type"] if problem["type"].startswith("union_tag_") else [])]) or "the file"


def _unfit(problems: Sequence[Any]) -> str:
    """What is wrong with a single value, by each type that it could have been of."""
    expected = ", or ".join(filter(None, map(_expected, problems)))
    given = problems[0]["input"]
    guess = _likely(given, _quoted(expected))
    return f"should be {expected}, not {_written(given)}{_question(repr(guess) if guess else None)}"


def _expected(problem: Any) -> str | None:
    """What a single value should have been; None where the mistake is of another kind."""
    if problem["type"] in _KINDS:
        return _KINDS[problem["type"]]
    said: str = problem["msg"]
    if problem["type"].startswith(("model_", "value_error")) or not said.startswith("Input should be "):
        return None
    return said.removeprefix("Input should be ")


def _said(problem: Any, settings: type[BaseModel], tables: Mapping[str, Any]) -> str:
    """What is wrong with a table or a key, after its place."""
    place, table = _resolve(problem["loc"], settings)
    allowed = ", ".join(repr(_type_of(each)) for each in _candidates(problem["loc"], settings))
    match problem["type"]:
        case "extra_forbidden":
            kind = "table" if isinstance(problem["input"], Mapping) else "key"
            home, known = _at_home(problem["loc"], settings), list(table.model_fields)
            return f"unknown {kind}{home or likely(place[-1], known)} (known: {', '.join(known)})"
        case "missing":
            return "is missing"
        case "union_tag_invalid":
            given = _at(dict(tables), place)["type"]
            guess = _likely(given, _quoted(allowed))
            asked = _question(repr(guess) if guess else None)
            return f"{_written(given)} is unknown{asked} (allowed: {allowed})"
        case "union_tag_not_found":
            return f"is missing (allowed: {allowed})"
        case "value_error":
            return str(problem["ctx"]["error"])
        case "model_type" | "model_attributes_type":
            name = ".".join(place)
            typed = isinstance(problem["input"], str) and _quoted(allowed)
            meant = f"; did you mean {name}.type?" if typed else ""
            return f"should be a table, not {_written(problem['input'])}{meant}"
        case _:
            return str(problem["msg"])


def _at_home(location: Sequence[str | int], settings: type[BaseModel]) -> str | None:
    """Say where a key belongs that this table does not know: to another type, or to another table."""
    place, table = _resolve(location, settings)
    key, name = place[-1], ".".join(place[:-1])
    types = [other for other in _candidates(location[:-2], settings) if key in other.model_fields]
    if types:
        owners = " or ".join(_written(_type_of(other)) for other in types)
        here = _written(_type_of(table))
        said = f"{key} is a key of type = {owners}, and the type here is {here}"
        elsewhere = {home for home in _homes(key, settings, tables=True) if home != f"{name}.{key}"}
        if len(elsewhere) == 1:  # a type is rarely changed for a table that there is in another place too
            return f"{_question(elsewhere.pop())} In {name}, {said}"
        return f"; {said}: set {name}.type as well"
    homes = set(_homes(key, settings))
    return _question(homes.pop()) if len(homes) == 1 else None


def _written(value: Any) -> str:
    """Write a value much as the file does."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a table"
    written = repr(value) if isinstance(value, str | list) else str(value)
    return written if len(written) <= _SHOWN_LENGTH else written[: _SHOWN_LENGTH - 3] + "..."


def _likely(word: Any, known: Iterable[str]) -> str | None:
    folded = {each.casefold(): each for each in known}
    near = difflib.get_close_matches(word.casefold(), folded, n=1) if isinstance(word, str) else []
    return folded[near[0]] if near else None


def _question(guess: str | None) -> str:
    return f"; did you mean {guess}?" if guess else ""


def _quoted(text: str) -> list[str]:
    return re.findall(r"'([^']*)'", text)


# ---------------------------------------------------------------------------------------------------------
# places


def _problems(tables: Mapping[str, Any], settings: type[BaseModel]) -> Sequence[Any]:
    try:
        settings.model_validate(tables)
    except ValidationError as error:
        return error.errors(include_url=False)
    return []


def _resolve(location: Sequence[str | int], settings: type[BaseModel]) -> tuple[list[str], type[BaseModel]]:
    """Turn pydantic's location into the file's, without the branches of unions; find the last table on it."""
    place: list[str] = []
    candidates: list[type[BaseModel]] = []
    value = False
    for part in location:
        if candidates:  # a table that has a type: pydantic names the type, the file does not
            settings = next(table for table in candidates if _type_of(table) == part)
            candidates = []
        elif value:  # inside a value only an element of a list has a place
            place += [str(part)] if isinstance(part, int) else []
        else:
            place.append(str(part))
            below = list(_tables_of(settings, str(part)))
            candidates, value = (below if len(below) > 1 else []), not below
            settings = below[0] if len(below) == 1 else settings
    return place, settings


def _candidates(location: Sequence[str | int], settings: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The tables that the last key of a location may hold."""
    if location:
        _, parent = _resolve(location[:-1], settings)
        yield from _tables_of(parent, str(location[-1]))


def _homes(key: str, settings: type[BaseModel], *, tables: bool = False) -> Iterator[str]:
    """The places that a key of this name has, in any table; with `tables`, those that hold a table."""
    for name in settings.model_fields:
        below = list(_tables_of(settings, name))
        if name == key and (below or not tables):
            yield name
        for table in below:
            yield from (f"{name}.{home}" for home in _homes(key, table, tables=tables))


def _tables_of(settings: type[BaseModel], key: str) -> Iterator[type[BaseModel]]:
    field = settings.model_fields.get(key)
    if field is not None:
        yield from _tables_in(field.annotation)


def _tables_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _tables_in(inner)


def _type_of(table: type[BaseModel]) -> Any:
    """The word that chooses a table; None where none does."""
    field = table.model_fields.get("type")
    if field is None:
        return None
    return get_args(field.annotation)[0] if field.is_required() else field.default
