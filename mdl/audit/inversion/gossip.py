"""What roles of D-MHE hold of the first epoch: a node, who reads a link, a node and its neighbours but one.

All nodes begin the first epoch with the same parameters. Of later ones a node does not know where its
neighbours began, so that what it sees of them is no gradient.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mdl.audit.inversion.seen import Role, Seen, as_numbers, crossed, others, own_gradient, whole
from mdl.audit.inversion.stage import Staged
from mdl.party import PartyId
from mdl.systems.decentralised import Decentralised
from mdl.systems.decentralised.messages import Weighted
from mdl.systems.decentralised.neighbourhoods import Neighbourhood

_EPOCH: Final = 1
_NODE: Final[PartyId] = 1
"""Who is attacked from: the first node, in a group the one that collects."""


def views(staged: Staged) -> Iterator[Seen]:
    """Give what each role holds of the first epoch."""
    neighbours = _neighbourhood(staged).neighbours
    if _system(staged).mode == "plain":
        for neighbour in neighbours:
            yield by_neighbour(staged, neighbour)
    else:
        yield by_node(staged)
    yield by_eavesdropper(staged, neighbours[0])
    yield by_coalition(staged, neighbours[-1])


def by_node(staged: Staged) -> Seen:
    """What a node holds of its neighbours: the weighted mean of their gradients, by its own average."""
    hood = _neighbourhood(staged)
    rest = 1 - _weights(hood)[_NODE]
    gradient = _without(staged, [_NODE]) / rest
    count = len(hood.neighbours)
    what = f"weighted mean of {count + 1}, without node {_NODE}'s own"
    return _seen(staged, "worker", what, gradient, hood.neighbours)


def by_neighbour(staged: Staged, neighbour: PartyId) -> Seen:
    """What a node holds of a neighbour that hides nothing: its parameters."""
    return _seen(staged, "worker", f"parameters of node {neighbour}", _shown(staged, neighbour), [neighbour])


def by_coalition(staged: Staged, victim: PartyId) -> Seen:
    """What a node and its neighbours but one hold of that one: their averages, less what they know."""
    hood = _neighbourhood(staged)
    colluders = [_NODE, *others(hood.neighbours, victim)]
    gradient = _without(staged, colluders) / _weights(hood)[victim]
    return _seen(staged, "coalition", f"node {victim}'s own", gradient, [victim])


def by_eavesdropper(staged: Staged, neighbour: PartyId) -> Seen:
    """What crosses a link: a ciphertext read as numbers, or parameters where they are not hidden."""
    if _system(staged).mode == "plain":
        what, gradient = f"parameters of node {neighbour}", _shown(staged, neighbour)
    else:
        data = crossed(staged, Weighted, _EPOCH, neighbour, _NODE)
        what, gradient = (
            f"ciphertext of node {neighbour}, read as numbers",
            as_numbers(data, len(staged.start)),
        )
    return _seen(staged, "eavesdropper", what, gradient, [neighbour])


def _without(staged: Staged, known: Sequence[PartyId]) -> NDArray[np.float64]:
    """Give the weighted sum of gradients at a node, with those taken off that are known."""
    average = staged.steps[_NODE, _EPOCH + 1].before  # with what it begins the next epoch
    total = (staged.start.astype(np.float64) - average) / staged.learning_rate
    weights = _weights(_neighbourhood(staged))
    taken = [weights[node] * own_gradient(staged, node, _EPOCH) for node in known]
    return np.asarray(total - np.sum(taken, axis=0))


def _shown(staged: Staged, neighbour: PartyId) -> NDArray[np.float64]:
    """Read a neighbour's weighted parameters as its gradient."""
    system, hood = _system(staged), _neighbourhood(staged)
    weighted = np.frombuffer(crossed(staged, Weighted, _EPOCH, neighbour, _NODE), "<i4")
    parameters = weighted / (hood.weights[neighbour] << system.fraction_bits)
    return np.asarray((staged.start.astype(np.float64) - parameters) / staged.learning_rate)


def _weights(hood: Neighbourhood) -> Mapping[PartyId, float]:
    """Give what each counts in the node's average; they add up to one."""
    own, total = hood.own_weight(hood.weights), hood.total_weight(hood.weights)
    return {node: weight / total for node, weight in {**hood.weights, hood.node: own}.items()}


def _seen(
    staged: Staged, role: Role, what: str, gradient: NDArray[np.float64], nodes: Sequence[PartyId]
) -> Seen:
    return whole(staged, role, what, _EPOCH, staged.start, gradient, nodes)


def _neighbourhood(staged: Staged) -> Neighbourhood:
    return _system(staged).neighbourhoods(staged.workers)[_NODE]


def _system(staged: Staged) -> Decentralised:
    assert isinstance(staged.system, Decentralised)
    return staged.system
