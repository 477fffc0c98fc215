"""The networks that are attacked and compared: of a finished run, or trained first."""

from collections.abc import Mapping
from pathlib import Path

from mdl.audit import output
from mdl.audit.membership import models
from mdl.audit.membership.models import Model
from mdl.audit.opinions.study import Case, Networks
from mdl.party import PartyId
from mdl.vectors import Floats


def is_in(run: Path) -> bool:
    """Tell whether a run's folder has both workers' models."""
    return all(models.is_in(run, party) for party in (1, 2))


def trained(case: Case, run: Path | None) -> Networks:
    """Find or train them.

    Args:
        case: whose.
        run: the folder of a run; its models are taken if it has both.

    Raises:
        MdlError: training failed.
    """
    together = _kept(case, run) if run is not None and is_in(run) else _simulated(case)
    alone = {}
    for party in (case.owner, case.asker):
        output.tell(f"training worker {party} alone, for comparison")
        alone[party] = models.alone(case.experiment, case.dataset, case.rows, party)
    return Networks(alone[case.owner], together[case.owner], alone[case.asker], together[case.asker])


def _kept(case: Case, run: Path) -> Mapping[PartyId, Model]:
    found = {party: models.kept(run, party) for party in (1, 2)}
    return {party: _named(case, party, each[0]) for party, each in found.items() if each is not None}


def _simulated(case: Case) -> Mapping[PartyId, Model]:
    output.tell(f"training {case.experiment.epochs} epochs on virtual links")
    found = models.outcomes(case.experiment, case.dataset)
    return {party: _named(case, party, found[party].parameters) for party in (1, 2)}


def _named(case: Case, party: PartyId, parameters: Floats) -> Model:
    return Model(f"worker {party}, taught", parameters, case.rows[party], party)
