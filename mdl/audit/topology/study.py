"""Every coalition of the nodes of a decentralised experiment, as far as they can be counted."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mdl.audit.fitting import fitting
from mdl.audit.topology.recipe import Recipe, recipe
from mdl.errors import ConfigError
from mdl.party import PartyId
from mdl.protocols.crowds import Crowd, smallest_crowd
from mdl.protocols.exposure import Effort, Sized, by_size, until_exposed
from mdl.protocols.graphs import Graph
from mdl.protocols.observations import Observations, of_neighbours, of_one_group
from mdl.systems import AnySystem
from mdl.systems.decentralised import Decentralised
from mdl.systems.decentralised.topology import GROUP_NODE

_FEWEST: Final = 3
"""Nodes: of two, one learns the other's parameters by subtraction."""


@dataclass(frozen=True)
class Line:
    """Coalitions of one size.

    Attributes:
        sized: whom they expose.
        crowd: how few honest nodes are in a sum that one of them learns.
    """

    sized: Sized
    crowd: Crowd


@dataclass(frozen=True)
class Audit:
    """What coalitions learn on a graph.

    Attributes:
        system: whose nodes they are.
        graph: who talks with whom, of those that remain.
        lost: who does not.
        epochs: how many were taken for one system of equations.
        lines: size by size, from 1.
        recipe: how the first coalition that exposes somebody computes it; None where there is none, or where
            it decrypts it.
        complete: False if it was stopped early.
    """

    system: Decentralised
    graph: Graph
    lost: Sequence[PartyId]
    epochs: int
    lines: Sequence[Line]
    recipe: Recipe | None
    complete: bool

    @property
    def first(self) -> Sized | None:
        """The smallest coalitions that were found to expose somebody."""
        return next((line.sized for line in self.lines if line.sized.exposing), None)

    @property
    def safe_up_to(self) -> int:
        """The largest size up to which it is known that no coalition exposes anybody."""
        sizes = [line.sized.size for line in self.lines if line.sized.exposing or not line.sized.settled]
        return (sizes[0] if sizes else self.lines[-1].sized.size + 1) - 1

    @property
    def never(self) -> tuple[PartyId, ...]:
        """Nodes that no coalition which was judged exposes."""
        return tuple(
            party for party in self.graph.parties if not any(line.sized.victims[party] for line in self.lines)
        )

    @property
    def refuted(self) -> bool:
        """Whether a single node exposes another in an epoch: docs/security.md says that it sees sums.

        Several epochs bound what follows from above, and refute nothing.
        """
        return self.epochs == 1 and bool(self.lines[0].sized.exposing)


def auditable(system: AnySystem) -> Decentralised:
    """Give a system back if its nodes learn sums of their neighbours.

    Raises:
        ConfigError: they do not; the text says what to use.
    """
    match system:
        case Decentralised(mode="plain"):
            why = (
                'system.mode: "plain" shows every node the parameters of its neighbours; '
                'set system.mode = "bfv" to see what sums tell'
            )
        case Decentralised():
            return system
        case _:
            why = (
                f"system.type: {system.type!r} has no graph of neighbours. What its parties learn alone and "
                f"together, mdl check says in words; {fitting(system)}"
            )
    raise ConfigError([why])


def observations(
    system: Decentralised, workers: int, epochs: int, lost: Collection[PartyId] = ()
) -> Observations:
    """Say what each node of an experiment learns, in epochs that begin when some are lost already.

    Raises:
        ConfigError: the lost are not among the nodes, or without them the run, or a node, does not go on.
    """
    _check_survived(system, workers, lost)
    graph, threshold = system.topology(workers), system.threshold
    if system.in_group:
        remaining = [party for party in graph.parties if party not in lost]
        return of_one_group(remaining, threshold=threshold)
    return of_neighbours(graph, system.weight_bits, epochs=epochs, threshold=threshold, lost=lost)


def _check_survived(system: Decentralised, workers: int, lost: Collection[PartyId]) -> None:
    if not lost:
        return
    if strangers := sorted(set(lost) - set(system.roster(workers))):
        raise ConfigError([f"--lost {strangers[0]}: nodes are 1 to {workers}"])
    if (threshold := system.threshold) is None:
        raise ConfigError(["--lost: without system.threshold the run ends when a node is lost"])
    if system.in_group and GROUP_NODE in lost:
        raise ConfigError([f"--lost {GROUP_NODE}: without it, who collects, the group ends"])
    if workers - len(set(lost)) < _FEWEST:
        raise ConfigError([f"--lost: fewer than {_FEWEST} nodes are left; of two each reads the other"])
    for node, each in system.neighbourhoods(workers).items():
        remain = len(set(each.members) - set(lost))
        if node not in lost and remain < threshold:
            raise ConfigError(
                [
                    f"--lost: {remain} remain in node {node}'s neighbourhood, which ends with fewer than "
                    f"system.threshold = {threshold}; add --lost {node}"
                ]
            )


def study(observed: Observations, *, most: int | None, effort: Effort = Effort()) -> Iterator[Line]:
    """Judge coalitions, the smallest first.

    Args:
        observed: what each node learns.
        most: up to this size; None: until some expose somebody.
        effort: what is searched of each size.

    Raises:
        ConfigError: there are no coalitions so large.
    """
    if most is not None and not 0 < most < len(observed.parties):
        nodes = len(observed.parties)
        raise ConfigError([f"--coalition {most}: of {nodes} nodes 1 to {nodes - 1} can collude"])
    sizes = until_exposed(observed, effort) if most is None else by_size(observed, range(1, most + 1), effort)
    for sized in sizes:
        yield Line(sized, smallest_crowd(observed, sized, effort))


def put_together(
    system: Decentralised,
    observed: Observations,
    lines: Sequence[Line],
    *,
    epochs: int,
    complete: bool,
    lost: Sequence[PartyId] = (),
) -> Audit:
    """Add to the counts how the first example is computed."""
    examples = [line.sized.example for line in lines if line.sized.example is not None]
    how = recipe(observed, examples[0].coalition, examples[0].exposed[0]) if examples else None
    graph = system.topology(len(observed.parties) + len(lost)).without(lost)
    return Audit(system, graph, lost, epochs, lines, how, complete)
