"""What pydantic finds wrong, in the words of somebody who wrote the file."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError


def sentences(error: ValidationError, settings: type[BaseModel]) -> list[str]:
    """Give one sentence a problem: the place, what is wrong, what is allowed."""
    return [_sentence(problem, settings) for problem in error.errors(include_url=False)]


def table_at(
    settings: type[BaseModel], place: Sequence[str], tables: Mapping[str, Any]
) -> type[BaseModel] | None:
    """Find the settings that check the table at `place`, following each table's `type`; None if there are none."""
    here: Any = tables
    for key in place:
        here = here.get(key, {}) if isinstance(here, Mapping) else {}
        chosen = here.get("type") if isinstance(here, Mapping) else None
        below = list(_tables_of(settings, key))
        matching = [table for table in below if _type_of(table) == chosen] or (
            below if len(below) == 1 else []
        )
        if not matching:
            return None
        settings = matching[0]
    return settings


def _sentence(problem: Any, settings: type[BaseModel]) -> str:
    place, table = _resolve(problem["loc"], settings)
    name = ".".join(place) or "the file"
    match problem["type"]:
        case "extra_forbidden":
            known = list(table.model_fields)
            near = difflib.get_close_matches(place[-1], known, n=1)
            guess = f"; did you mean {near[0]}?" if near else ""
            return f"{name}: unknown key{guess} (known: {', '.join(known)})"
        case "missing":
            return f"{name}: is missing"
        case "union_tag_invalid":
            allowed = problem["ctx"]["expected_tags"]
            near = difflib.get_close_matches(
                str(problem["ctx"]["tag"]), allowed.replace("'", "").split(", "), n=1
            )
            guess = f"; did you mean {near[0]!r}?" if near else ""
            return f"{name}.type: {problem['ctx']['tag']!r} is unknown{guess} (allowed: {allowed})"
        case "union_tag_not_found":
            return f"{name}.type: is missing"
        case "value_error":
            return f"{name}: {problem['ctx']['error']}"
        case _:
            said = problem["msg"].removeprefix("Input ")
            return f"{name}: {said}, not {problem['input']!r}"


def _resolve(location: Sequence[str | int], settings: type[BaseModel]) -> tuple[list[str], type[BaseModel]]:
    """Turn pydantic's location into the file's: without the tags of unions; and find the last table on the way."""
    place: list[str] = []
    candidates: list[type[BaseModel]] = []
    for part in location:
        chosen = [table for table in candidates if _type_of(table) == part]
        if chosen:
            settings, candidates = chosen[0], []
            continue
        below = list(_tables_of(settings, str(part)))
        if len(below) == 1:
            settings, candidates = below[0], []
        elif below:
            candidates = below
        elif place and str(part) not in settings.model_fields and part != location[-1]:
            continue  # a branch of a union of plain types, as float or "minimum"
        place.append(str(part))
    if place and len(location) > 1 and _is_branch(place[-1], settings):
        place.pop()
    return place, settings


def _is_branch(part: str, settings: type[BaseModel]) -> bool:
    return (
        part.startswith(("literal[", "float", "int", "constrained-", "function-"))
        and part not in settings.model_fields
    )


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
    field = table.model_fields.get("type")
    return field.default if field is not None else None
