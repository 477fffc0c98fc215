"""One experiment of a study, and what its folder is called."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mdl.config import Experiment
from mdl.report.naming import short_keys

LONGEST_VALUE: Final = 32
"""Characters of a value that go into a name; a longer one is cut, and told apart by its hash."""

LONGEST_NAME: Final = 160
"""Characters of a name: with a file's name behind it, within what file systems take."""

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9.+_-]+")


@dataclass(frozen=True)
class Point:
    """One experiment of a study.

    Attributes:
        name: of its folder, see `point_name`; unlike every other in its study.
        experiment: resolved and checked.
        settings: the keys that the study varies, dotted, with this point's values.
    """

    name: str
    experiment: Experiment
    settings: Mapping[str, Any]


def point_name(settings: Mapping[str, Any]) -> str:
    """Name a point after the keys that its study varies: ``visibility-0.5_seed-2``.

    The name follows from the settings alone, whatever their order: keys by the alphabet, the seed last. A key
    is called by its last part (``system.scheme.type`` by ``scheme``), or wholly where two would be called
    alike.
    """
    keys = sorted(settings, key=lambda key: (key == "seed", key))
    name = "_".join(
        f"{call}-{_safe(settings[key])}" for key, call in zip(keys, short_keys(keys), strict=True)
    )
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 9]}-{_hash(name)}"


def written(value: Any) -> str:
    """Write a value as a person would."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _safe(value: Any) -> str:
    """Write a value so that any file system takes it; with its hash where that hides what it was."""
    text = written(value)
    safe = _UNSAFE.sub("-", text)[:LONGEST_VALUE]
    return safe if safe == text else f"{safe}-{_hash(text)}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
