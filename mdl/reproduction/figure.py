"""What a figure of the paper is here: a claim, a run, a plot, and checks of the shape that is expected."""

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from mdl import folder as files
from mdl.errors import MdlError
from mdl.report.drawing import Picture

Value: TypeAlias = str | int | float | bool | None
Row: TypeAlias = Mapping[str, Value]
"""One observation: what was varied, and what was measured."""

Clock: TypeAlias = Literal["measured", "simulated", "computed"]
"""Whether figures are of this machine, of the virtual clock, or follow from no time at all."""

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9.+=-]+")


@dataclass(frozen=True)
class Data:
    """What a figure's run gave.

    Attributes:
        rows: tidy: one line an observation; all have the same keys.
        facts: what else must be known to read them: seeds, sizes, operation costs. JSON.
        clock: where its times come from.
    """

    rows: Sequence[Row]
    facts: Mapping[str, Any]
    clock: Clock


@dataclass(frozen=True)
class Check:
    """An expected property of a figure, and what was found.

    Attributes:
        expected: a sentence.
        found: the numbers.
        holds: whether they bear it out.
    """

    expected: str
    found: str
    holds: bool

    @property
    def verdict(self) -> str:
        """``holds`` or ``does not hold``."""
        return "holds" if self.holds else "does not hold"


@dataclass(frozen=True)
class Setting:
    """Under which conditions a figure is run.

    Attributes:
        quick: small, to show the shape; else in full.
        folder: the figure's own; exists. What is kept to go on from lies here.
        data_dir: where named data sets lie, if known.
        jobs: runs at a time, at most; None for as many as the engine of studies thinks right.
        tell: is told in a line what is being done.
        networks: of a figure's networks, only those of these names; empty for all.
    """

    quick: bool
    folder: Path
    data_dir: Path | None
    jobs: int | None
    tell: Callable[[str], None]
    networks: Sequence[str] = ()

    @property
    def processes(self) -> int:
        """How many processes may compute at a time, where it is for the figure to say."""
        return self.jobs or len(os.sched_getaffinity(0))

    def kept(self, name: str, about: Mapping[str, Any], measure: Callable[[], Any]) -> Any:
        """Give what `measure` gives, from the folder if it is there already.

        Args:
            name: of the file, within the figure's folder.
            about: everything that the result depends on; under other words it is measured again. JSON.
            measure: gives what JSON can hold.

        Raises:
            MdlError: the result cannot be written.
        """
        path = self.folder / "parts" / f"{_UNSAFE.sub('-', name)}.json"
        asked = json.loads(json.dumps({"quick": self.quick, **about}))
        found = read_json(path)
        if found is not None and found.get("about") == asked:
            return found["result"]
        self.tell(name)
        result = measure()
        keep_json(path, {"about": asked, "result": result})
        return json.loads(json.dumps(result))


@dataclass(frozen=True)
class Figure:
    """One experiment of the paper.

    Attributes:
        name: as the paper numbers it, or a word for what stands in its text.
        title: what it shows.
        section: of the paper.
        claim: what the paper says of it, in our words.
        quick: what is run by ``--quick``.
        full: what is run without.
        run: runs it, or the rest of it.
        checks: the expected shape, from what was run.
        draw: in the paper's form; is given the line that says where and when it was measured.
        networks: the names of those that it runs in full, if it can run some of them without the others.
    """

    name: str
    title: str
    section: str
    claim: str
    quick: str
    full: str
    run: Callable[[Setting], Data]
    checks: Callable[[Data], Sequence[Check]]
    draw: Callable[[Data, str], Picture]
    networks: Sequence[str] = ()

    @property
    def heading(self) -> str:
        """What it is called on a page."""
        return f"Figure {self.name}: {self.title}" if self.name[0].isdigit() else _capital(self.title)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None if there is none, or it is torn."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def keep_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object in one piece, and the folder that it lies in.

    Raises:
        MdlError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(path, value)
    except OSError as error:
        raise MdlError(f"cannot write {path}: {error.strerror}") from None
