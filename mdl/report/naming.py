"""What runs are called beside each other: by what tells them apart, not by when they began."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from mdl.report.runs import Run

_TELLING: Final = (
    "name",
    "system.type",
    "system.mode",
    "system.scheme.type",
    "system.scheme.group",
    "workers",
    "system.threshold",
    "system.visibility",
    "noise",
    "system.privacy.epsilon",
    "learning.privacy.epsilon",
    "system.selection",
    "system.admission.type",
    "system.download.type",
    "delay.slope_seconds",
    "delay.mean_seconds",
)
"""The settings that a reader looks for first. Then come other types, other settings by name, and `_LAST`."""

_SPEAK_FOR_THEMSELVES: Final = ("name", "system.type", "system.scheme.type", "system.scheme.group", "noise")

_SYMBOLS: Final = {"epsilon": "ε", "delta": "δ"}
"""What is written for the last part of a key."""

_NOISE: Final = {"system.privacy.type": "no noise", "learning.privacy.type": "no DP-SGD"}
"""Types of noise, and how it is said that there is none of the kind. In names of runs they are one, `noise`:
a run without the one kind may have the other."""

_KINDS_OF_NOISE: Final = {"laplace": "Laplace noise", "gaussian": "Gaussian noise"}
"""What is written for a type of noise, if not the type itself."""

_LAST: Final = ("seed", "torch_threads")


def labels(runs: Sequence[Run]) -> Sequence[str]:
    """Name each run so that no two are alike and none that ended early can be taken for a complete one.

    By the experiment's name if no other run has it; else by as few of the settings that differ as suffice,
    behind the name where that is not the same for all, and without what is as in most runs. Those that are
    alike in all settings by their folders; else by number. Beside real runs simulated ones are called so.
    """
    return [
        name if run.completed else f"{name} ({run.summary.status})"
        for name, run in zip(names(runs), runs, strict=True)
    ]


def names(runs: Sequence[Run]) -> Sequence[str]:
    """Name each run as `labels` does, but for how it ended."""
    return _unlike(runs, [_clock(runs, run) for run in runs])


def clock(runs: Sequence[Run]) -> str:
    """Say what time it is that plots and tables of these runs show; empty if it is that on the wall."""
    simulated = [run.simulated for run in runs]
    if all(simulated):
        return "simulated time"
    return "simulated time where so named" if any(simulated) else ""


def flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Give nested tables as one, keys joined by dots."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def short_keys(keys: Sequence[str]) -> Sequence[str]:
    """Call keys by their last parts, or wholly where two would be called alike."""
    short = [_last(key) for key in keys]
    return [key if short.count(call) > 1 else call for key, call in zip(keys, short, strict=True)]


def rank(key: str) -> tuple[int, str]:
    """Give the place of a setting in the order in which a reader looks at them."""
    known = "noise" if key in _NOISE else key
    if known in _TELLING:
        return _TELLING.index(known), key
    return len(_TELLING) + (2 if key in _LAST else not key.endswith(".type")), key


def _unlike(runs: Sequence[Run], tails: Sequence[str]) -> Sequence[str]:
    found: Sequence[str] = ()
    for way in (_by_names, _by_settings):
        found = [f"{name}{tail}" for name, tail in zip(way(runs), tails, strict=True)]
        if len(set(found)) == len(found):
            return found
    folders = [f"{run.folder.resolve().name}{tail}" for run, tail in zip(runs, tails, strict=True)]
    by_folder = [
        folder if found.count(name) > 1 else name for name, folder in zip(found, folders, strict=True)
    ]
    if len(set(by_folder)) == len(by_folder):
        return by_folder
    return [
        f"{name or run.name} #{found[: index + 1].count(name)}" if found.count(name) > 1 else name
        for index, (name, run) in enumerate(zip(found, runs, strict=True))
    ]


def _clock(runs: Sequence[Run], run: Run) -> str:
    return " (simulated)" if run.simulated and not all(each.simulated for each in runs) else ""


def _by_names(runs: Sequence[Run]) -> Sequence[str]:
    return [run.name for run in runs]


def _by_settings(runs: Sequence[Run]) -> Sequence[str]:
    named = len({run.name for run in runs}) > 1
    found = [{**_with_noise(run.settings), "name": run.name if named else ""} for run in runs]
    keys = _telling_apart(found)
    whole = _written(found, keys, {})
    brief = _written(found, keys, {key: _usual(found, key) for key in keys[1:]})
    chosen = brief if len(set(brief)) == len(set(whole)) else whole
    counts = Counter(run.name for run in runs)
    return [run.name if counts[run.name] == 1 else name for run, name in zip(runs, chosen, strict=True)]


def told(settings: Mapping[str, Any]) -> str:
    """Write flat settings one after the other, as a reader looks at them, without those that are not set."""
    known = {key: value for key, value in settings.items() if value is not None}
    if all(key in known for key in _NOISE):
        known = dict(_with_noise(known))
    return ", ".join(part(key, known) for key in sorted(known, key=rank))


def _with_noise(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """Flatten settings, the types of noise told as one."""
    settings = dict(flatten(table))
    kinds = [settings.pop(key, "none") for key in _NOISE]
    found = [_KINDS_OF_NOISE.get(kind, kind) for kind in kinds if kind != "none"]
    return {**settings, "noise": " and ".join(found) or "no noise"}


def _written(
    found: Sequence[Mapping[str, Any]], keys: Sequence[str], usual: Mapping[str, Any]
) -> Sequence[str]:
    """Write the settings of each run under `keys`, but where they are as usual."""
    return [
        ", ".join(
            said
            for key in keys
            if (said := part(key, settings)) and (key not in usual or settings[key] != usual[key])
        )
        for settings in found
    ]


def _usual(found: Sequence[Mapping[str, Any]], key: str) -> Any:
    """Give the value that more runs have than any other; None if there is none such."""
    counted = Counter(str(settings[key]) for settings in found if key in settings).most_common(2)
    if len(counted) == 2 and counted[0][1] == counted[1][1]:
        return None
    return next(settings[key] for settings in found if str(settings.get(key)) == counted[0][0])


def _telling_apart(found: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    """Choose settings one after the other, each that tells apart what those before it do not."""
    keys = sorted({key for settings in found for key in settings}, key=rank)
    chosen: list[str] = []
    for key in keys:
        if _kinds(found, [*chosen, key]) > _kinds(found, chosen):
            chosen.append(key)
    return chosen


def _kinds(found: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> int:
    return len({tuple(str(settings.get(key)) for key in keys) for settings in found})


def part(key: str, settings: Mapping[str, Any]) -> str:
    """Write one setting as short as it can be understood; nothing where it is not set."""
    value = settings.get(key)
    if value is None:
        return ""
    if key in _NOISE:
        return _NOISE[key] if value == "none" else _KINDS_OF_NOISE.get(value, str(value))
    written = str(value).lower() if isinstance(value, bool) else str(value).removesuffix(".0")
    return written if key in _SPEAK_FOR_THEMSELVES else f"{called(key)} {written}"


def called(key: str) -> str:
    """Give the word for a setting."""
    if key in _NOISE:
        return "noise"
    last = _last(key)
    return _SYMBOLS.get(last, last)


def _last(key: str) -> str:
    *tables, last = key.split(".")
    return tables[-1] if last == "type" and tables else last
