"""The steps of ``mdl audit topology``: judge coalitions, show, keep."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from rich.console import Console

from mdl.audit.page import prepare, write_all
from mdl.audit.topology.study import Audit, Line, auditable, observations, put_together, study
from mdl.audit.topology.tables import rendered
from mdl.config import Experiment
from mdl.party import PartyId

RECORD = "audit-topology.json"


def run(
    experiment: Experiment,
    *,
    most: int | None,
    epochs: int,
    out: Path | None,
    lost: Collection[PartyId] = (),
) -> Audit:
    """Audit an experiment's graph; Ctrl-C ends early and keeps what was done.

    Args:
        experiment: whose graph.
        most: the largest coalitions; None: until some expose somebody.
        epochs: how many are taken together.
        out: where the record goes, if anywhere.
        lost: nodes that are gone.

    Raises:
        ConfigError: there is no graph, nothing is hidden, there are no coalitions so large, or losses end it.
        MdlError: the folder cannot be written.
    """
    system = auditable(experiment.system)
    if out is not None:
        prepare(out)
    gone = sorted(set(lost))
    observed = observations(system, experiment.workers, epochs, gone)
    lines: list[Line] = []
    complete = False
    try:
        lines.extend(study(observed, most=most))
        complete = True
    except KeyboardInterrupt:
        if not lines:
            raise
    audit = put_together(system, observed, lines, epochs=epochs, complete=complete, lost=gone)
    console = Console(highlight=False)
    console.print(rendered(audit))
    if out is not None:
        content = json.dumps(record(audit, experiment.name), indent=1) + "\n"
        for path in write_all(out, {RECORD: content.encode()}):
            console.print(str(path), soft_wrap=True)
    return audit


def record(audit: Audit, name: str) -> dict[str, Any]:
    """Give an audit as JSON has it."""
    return {
        "experiment": name,
        "nodes": len(audit.graph.parties),
        "lost": list(audit.lost),
        "edges": [list(edge) for edge in audit.graph.edges],
        "graph": audit.system.graph.type,
        "threshold": audit.system.threshold,
        "epochs": audit.epochs,
        "complete": audit.complete,
        "safe_up_to": audit.safe_up_to,
        "smallest_found": audit.first.size if audit.first else None,
        "never_exposed": list(audit.never),
        "recipe": _recipe(audit),
        "sizes": [_line(line) for line in audit.lines],
    }


def _recipe(audit: Audit) -> dict[str, Any] | None:
    if audit.recipe is None:
        return None
    factors = [
        {"node": party, "epoch": epoch, "factor": str(factor)}
        for (party, epoch), factor in audit.recipe.factors.items()
    ]
    return {"victim": audit.recipe.victim, "factors": factors}


def _line(line: Line) -> dict[str, Any]:
    sized, example = line.sized, line.sized.example
    return {
        "size": sized.size,
        "total": sized.total,
        "searched": sized.searched,
        "judged": sized.judged,
        "exposing": sized.exposing,
        "victims": {str(party): count for party, count in sized.victims.items()},
        "example": {"coalition": list(example.coalition), "exposed": list(example.exposed)}
        if example
        else None,
        "fewest_honest_in_a_sum": {"at_least": line.crowd.at_least, "at_most": line.crowd.at_most},
    }
