"""Where a run that was stopped goes on."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from mdl.config import Experiment
from mdl.errors import MdlError
from mdl.folder import SUMMARY, FileJournal
from mdl.party import MANAGER, PartyId


def resume_epochs(experiment: Experiment, run: Path) -> dict[PartyId, int]:
    """Find, for each party, the epoch to go on from.

    Where an epoch is everybody's, they must go on from the same one: the latest that the manager has and that
    all workers which kept up with it have too; if there is none, the manager's latest. A worker that has no
    checkpoint of it takes its own latest. Without a manager, it is the latest that all have. Where all go at
    their own pace, each goes on from its own latest, and the manager, if there is one, must have one.

    A run whose last epoch is done may have been broken off before its end: scores, what is opened.

    Raises:
        MdlError: there is nothing to go on from, or nothing left to do.
    """
    roster = list(experiment.system.roster(experiment.workers))
    kept = {party: FileJournal(run, party).epochs("model") for party in roster}
    newest = {party: epochs[-1] if epochs else 0 for party, epochs in kept.items()}
    if not experiment.linked:
        return newest
    reached: int | None
    if not experiment.led:
        reached = max(set.intersection(*map(set, kept.values())), default=None)
    else:
        reached = newest[MANAGER] if experiment.system.own_pace else _common_epoch(kept)
    if not reached:
        raise MdlError(f"{run} holds no checkpoint that the parties have in common: nothing to resume")
    if reached > experiment.epochs or (reached == experiment.epochs and _came_to_its_end(run)):
        raise MdlError(f"{run} is complete: all {reached} epochs are done (raise --set epochs to go on)")
    return newest if experiment.system.own_pace else dict.fromkeys(roster, reached)


def _came_to_its_end(run: Path) -> bool:
    summary = run / SUMMARY
    # There is none if the launcher was killed.
    return summary.exists() and json.loads(summary.read_bytes())["status"] == "completed"


def _common_epoch(kept: Mapping[PartyId, Sequence[int]]) -> int | None:
    if not kept[MANAGER]:
        return None
    newest = kept[MANAGER][-1]
    # Who is further behind than one epoch had left the run before; it catches up as it can.
    up_to_date = [epochs for party, epochs in kept.items() if party and epochs and epochs[-1] >= newest - 1]
    common = [epoch for epoch in kept[MANAGER] if all(epoch in epochs for epochs in up_to_date)]
    return common[-1] if common else newest
