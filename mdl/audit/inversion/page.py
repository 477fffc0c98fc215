"""The audit as files: one HTML page that needs nothing but itself, a PNG of each gallery, and JSON."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from mdl.audit.galleries import Gallery, png
from mdl.audit.inversion.findings import Audit, explained, titles
from mdl.audit.inversion.galleries import gallery
from mdl.audit.inversion.tables import HEADS, cells
from mdl.audit.inversion.verdict import Line, lines
from mdl.audit.page import Page, Table, write_all

NAME: Final = "audit-inversion"

_SHOWN: Final = "Images recovered from the view of"


def write(audit: Audit, out: Path, *, date: str) -> Sequence[Path]:
    """Write page, galleries and figures into a folder, over those of an earlier audit.

    Raises:
        MdlError: it cannot be written.
    """
    shown = list(galleries(audit))
    contents = {f"{NAME}.html": render(audit, shown, date).encode()}
    contents |= {f"{NAME}-{each.name}.png": png(each) for each in shown}
    contents[f"{NAME}.json"] = (json.dumps(figures(audit, date), indent=2) + "\n").encode()
    return write_all(out, contents)


def galleries(audit: Audit) -> Iterator[Gallery]:
    """Give one gallery a role, and one for each size of small sums."""
    for role, title in titles(audit.experiment.system).items():
        if mine := [attempt for attempt in audit.attempts if attempt.seen.role == role]:
            what = mine[0].seen.what if len({id(a.seen) for a in mine}) == 1 else ""
            yield gallery(role, f"{_SHOWN}: {title}{f': {what}' if what else ''}", mine, audit.dataset)
    for workers, attempts in audit.small.items():
        seen = f"manager, sums of {workers} workers"
        yield gallery(f"sum-of-{workers}", f"{_SHOWN}: {seen}", attempts, audit.dataset)


def render(audit: Audit, shown: Sequence[Gallery], date: str) -> str:
    """Write the page."""
    paragraphs = explained(audit)
    tables = [
        Table(
            f"Attacks, {audit.where}", HEADS, [cells(line, audit.experiment.system) for line in audit.lines]
        )
    ]
    tables += [
        Table(f"Sums of {k}", HEADS, [cells(line, audit.experiment.system) for line in lines(found)])
        for k, found in audit.small.items()
    ]
    return Page(
        title=f"Gradient inversion: {audit.experiment.name}",
        subtitle=f"{audit.where}; simulated links, real data; {date}",
        complete=audit.complete,
        paragraphs=paragraphs[: len(paragraphs) - len(audit.claims)],
        claims=audit.claims,
        galleries=shown,
        tables=tables,
        experiment=audit.experiment.to_toml(),
    ).render()


def figures(audit: Audit, date: str) -> Mapping[str, Any]:
    """Give all figures as plain values."""
    return {
        "experiment": audit.experiment.model_dump(mode="json"),
        "date": date,
        "where": audit.where,
        "complete": audit.complete,
        "attacks": [_plain(line) for line in audit.lines],
        "small_sums": {
            workers: [_plain(line) for line in lines(found)] for workers, found in audit.small.items()
        },
        "claims": [asdict(claim) for claim in audit.claims],
        "said": list(explained(audit)),
    }


def _plain(line: Line) -> Mapping[str, Any]:
    values = asdict(line)
    return {
        key: None if isinstance(value, float) and math.isnan(value) else value
        for key, value in values.items()
    }
