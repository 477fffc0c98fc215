"""The audit of a graph: what is found, how far it is known, and what cannot be audited."""

from collections.abc import Sequence

import pytest

from mdl.audit.topology.study import Audit, auditable, observations, put_together, study
from mdl.config import Experiment, load
from mdl.errors import ConfigError
from mdl.party import PartyId
from mdl.protocols.exposure import Effort
from mdl.systems import AnySystem
from tests.audit.inversion.digits import QUICKSTART
from tests.audit.inversion.digits import experiment as of_quickstart

RING = str(QUICKSTART.with_name("dmhe-ring.toml"))


def of(*overrides: str) -> Experiment:
    return load(QUICKSTART.with_name("dmhe-ring.toml"), list(overrides))[0]


def audit(
    *overrides: str,
    most: int | None = None,
    epochs: int = 1,
    effort: Effort = Effort(),
    lost: Sequence[PartyId] = (),
) -> Audit:
    experiment = of(*overrides)
    system = auditable(experiment.system)
    observed = observations(system, experiment.workers, epochs, lost)
    lines = list(study(observed, most=most, effort=effort))
    return put_together(system, observed, lines, epochs=epochs, complete=True, lost=lost)


def test_a_ring_withstands_each_alone_and_no_two_neighbours() -> None:
    found = audit()
    assert found.first is not None
    assert (found.safe_up_to, found.first.size, found.first.exposing, found.never) == (1, 2, 8, ())
    assert [line.crowd.at_most for line in found.lines] == [2, 1]
    assert found.recipe is not None
    assert not found.refuted


def test_a_complete_graph_withstands_all_but_two() -> None:
    found = audit("system.graph.type=complete")
    assert (found.safe_up_to, found.first, found.recipe) == (6, None, None)


def test_one_group_withstands_all_but_two_over_any_epochs() -> None:
    for epochs in (1, 3):
        found = audit("system.graph.type=group", epochs=epochs)
        assert (found.safe_up_to, found.first, found.epochs) == (6, None, epochs)


@pytest.mark.parametrize(("graph", "exposing"), [("complete", 70), ("group", 35)])
def test_with_a_threshold_so_many_read_all_where_they_have_the_ciphertexts(graph: str, exposing: int) -> None:
    found = audit(f"system.graph.type={graph}", "system.threshold=4", "system.insecure=true")
    assert found.first is not None
    assert (found.safe_up_to, found.first.size, found.first.exposing) == (3, 4, exposing)
    assert found.recipe is None, "they decrypt it"


def test_a_star_is_refuted() -> None:
    edges = [[1, other] for other in range(2, 9)]
    found = audit(f'system.graph={{type="edges", edges={edges}}}', "system.insecure=true")
    assert found.refuted
    assert found.safe_up_to == 0
    assert found.never == tuple(range(2, 9)), "leaves are exposed by the hub and all others only"


def test_what_epochs_bound_from_above_refutes_nothing() -> None:
    found = audit(epochs=4)
    assert found.first is not None
    assert (found.first.size, found.first.exposing) == (1, 8), "each node the one across the ring"
    assert not found.refuted


SEVEN = ("workers=7", 'system.graph={type="random", seed=3, probability=0.7}', "system.threshold=4")


def test_what_is_left_after_a_loss_is_audited_by_the_weights_that_nodes_keep() -> None:
    found = audit(*SEVEN, lost=[4])
    assert found.first is not None
    assert found.first.example is not None
    assert (found.first.size, found.first.example.coalition, found.first.example.exposed) == (2, (1, 2), (5,))
    assert found.graph.parties == (1, 2, 3, 5, 6, 7)
    assert found.recipe is not None


def test_after_losses_a_complete_graph_and_a_group_withstand_all_that_are_left_but_two() -> None:
    for graph in ("complete", "group"):
        found = audit(f"system.graph.type={graph}", "system.threshold=5", lost=[4, 7])
        assert (found.safe_up_to, len(found.lines[-1].sized.victims)) == (4, 6)


@pytest.mark.parametrize(
    ("overrides", "lost", "said"),
    [
        ((), [4], "without system.threshold the run ends"),
        (SEVEN, [8], "--lost 8: nodes are 1 to 7"),
        (("system.graph.type=group", "system.threshold=5"), [1], "the group ends"),
        (("system.graph.type=complete", "system.threshold=5"), [2, 3, 4, 5], "add --lost 1"),
        (("system.graph.type=complete", "system.threshold=5"), [2, 3, 4, 5, 6, 7, 8], "fewer than 3 nodes"),
    ],
)
def test_losses_that_end_the_run_cannot_be_audited(
    overrides: Sequence[str], lost: Sequence[PartyId], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        audit(*overrides, lost=lost)


def test_asked_for_larger_coalitions_it_goes_on_after_the_first_that_expose() -> None:
    found = audit(most=4)
    assert [line.sized.exposing for line in found.lines] == [0, 8, 40, 68]
    assert found.first is not None
    assert found.first.size == 2


def test_what_was_not_searched_is_not_called_safe() -> None:
    found = audit(
        "workers=40", 'system.graph={type="random", probability=0.5}', most=3, effort=Effort(100, 50)
    )
    assert [line.sized.searched for line in found.lines] == ["all", "some", "some"]
    assert found.first is None
    assert found.safe_up_to == 1


@pytest.mark.parametrize(
    ("system", "said"),
    [
        (of("system.mode=plain").system, 'set system.mode = "bfv"'),
        (of_quickstart().system, "mdl audit collusion"),
        (of_quickstart("system.type=secret-shared").system, "'secret-shared' has no graph"),
        (of_quickstart("system.type=fedavg").system, "'fedavg' has no graph"),
    ],
)
def test_what_has_no_sums_of_neighbours_is_refused_in_words(system: AnySystem, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        auditable(system)


@pytest.mark.parametrize("most", [0, 8])
def test_no_more_collude_than_there_are_others(most: int) -> None:
    with pytest.raises(ConfigError, match="of 8 nodes 1 to 7 can collude"):
        audit(most=most)
