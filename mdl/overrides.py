"""Changes to an experiment file's tables from the command line: ``--set key.path=value``."""

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel

from mdl.errors import ConfigError
from mdl.mistakes import table_at

NOT_TOML: Final = (ValueError, RecursionError)
"""What tomllib raises: also for a number of thousands of digits, and for lists thousands deep."""

EITHER_OR: Final[Mapping[tuple[str, ...], tuple[str, ...]]] = {
    ("system", "threshold"): ("system", "visibility"),
    ("system", "visibility"): ("system", "threshold"),
    ("learning", "model"): ("learning", "models"),
    ("learning", "models"): ("learning", "model"),
}
"""Keys that say one thing in two ways: ``--set`` of one takes the place of the other."""

_COMMAND_LINE = "command line"


def override(tables: dict[str, Any], overrides: Sequence[str], root: type[BaseModel]) -> list[str]:
    """Change tables as ``--set`` asks for.

    Tables come before their keys, and a new `type` before its neighbours: it decides which keys its table
    may have. So the order on the command line does not matter.

    Args:
        tables: of the file; changed.
        overrides: ``key.path=value`` each; the value as in TOML, or else taken for a string.
        root: what the tables are settings of.

    Returns:
        A line for everything that is dropped on the way.

    Raises:
        ConfigError: names each that cannot be applied.
    """
    notes = []
    changes = _changes(overrides)
    for keys in changes:
        notes += _drop_other_word(tables, keys, changes)
    for keys in sorted(changes, key=lambda keys: (len(keys), keys[-1] != "type")):
        table = tables
        for key in keys[:-1]:
            table = table.setdefault(key, {})
            if not isinstance(table, dict):
                raise ConfigError([f"--set {'.'.join(keys)}: {key} is no table"], _COMMAND_LINE)
        value = changes[keys]
        if keys[-1] == "type" and table.get("type") != value:
            table["type"] = value
            notes += _drop_unknown(tables, keys[:-1], table, root)
        table[keys[-1]] = value
    return notes


def _drop_other_word(
    tables: Mapping[str, Any], keys: tuple[str, ...], changes: Mapping[tuple[str, ...], Any]
) -> list[str]:
    """A file that says ρ loses it where m is set, and the other way round; unless both are set."""
    other = EITHER_OR.get(keys)
    table = tables.get(keys[0])
    if other is None or other in changes or not isinstance(table, dict) or other[-1] not in table:
        return []
    del table[other[-1]]
    return [f"{'.'.join(keys)} is set: dropped {'.'.join(other)}"]


def _changes(overrides: Sequence[str]) -> dict[tuple[str, ...], Any]:
    """Read ``key.path=value``, each into its keys and the value."""
    changes: dict[tuple[str, ...], Any] = {}
    problems = []
    for override in overrides:
        path, separator, text = override.partition("=")
        keys = tuple(key.strip() for key in path.split("."))
        if not separator or not all(keys):
            problems.append(f"--set {override}: write it as key.path=value, e.g. system.visibility=0.5")
        elif keys in changes and changes[keys] != _value(text):
            problems.append(f"--set {override}: {'.'.join(keys)} is set to {changes[keys]!r} as well")
        else:
            changes[keys] = _value(text)
    if problems:
        raise ConfigError(problems, _COMMAND_LINE)
    return changes


def _value(text: str) -> Any:
    try:
        tables = tomllib.loads(f"value = {text}")
    except NOT_TOML:
        return text
    # A line break could smuggle in further keys; such a text is a string.
    return tables["value"] if len(tables) == 1 else text


def _drop_unknown(
    tables: Mapping[str, Any], place: Sequence[str], table: dict[str, Any], root: type[BaseModel]
) -> list[str]:
    """A table whose type was replaced loses the keys that the new type does not know, or takes otherwise."""
    settings = table_at(root, place, tables)
    if settings is None or "type" not in settings.model_fields:
        return []
    # A number that bounds one mechanism's privacy means something else to another.
    known = {"type"} if place[-1] == "privacy" else settings.model_fields.keys()
    dropped = [key for key in table if key not in known]
    for key in dropped:
        del table[key]
    if not dropped:
        return []
    name = ".".join(place)
    return [f"{name}.type is now {table['type']!r}: dropped {', '.join(f'{name}.{key}' for key in dropped)}"]
