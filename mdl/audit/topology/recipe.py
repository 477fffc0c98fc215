"""How a coalition computes what it is said to learn: the combination of its sums, in exact fractions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from mdl.party import PartyId
from mdl.protocols.observations import Observations


@dataclass(frozen=True)
class Recipe:
    """A victim's value as a combination of what a coalition learns.

    Attributes:
        victim: whose value it is.
        factors: of each average, by member and epoch from 1, none of them zero. What the coalition knows
            itself is taken off the averages first.
    """

    victim: PartyId
    factors: Mapping[tuple[PartyId, int], Fraction]


def recipe(observed: Observations, coalition: Sequence[PartyId], victim: PartyId) -> Recipe | None:
    """Solve for the combination by Gaussian elimination; None if there is none."""
    place = {party: index for index, party in enumerate(observed.parties)}
    honest = [place[party] for party in observed.parties if party not in coalition]
    sums = [(party, epoch) for party in coalition for epoch in range(observed.rows.shape[1])]
    equations = [
        [*(Fraction(int(observed.rows[place[party], epoch, column])) for party, epoch in sums), target]
        for column in honest
        for target in [Fraction(int(column == place[victim]))]
    ]
    solution = _solved(equations, len(sums))
    if solution is None:
        return None
    factors = {
        (party, epoch + 1): factor * (1 << observed.bits * (epoch + 1))
        for (party, epoch), factor in zip(sums, solution, strict=True)
    }
    return Recipe(victim, {of: factor for of, factor in factors.items() if factor})


def _solved(equations: list[list[Fraction]], unknowns: int) -> list[Fraction] | None:
    """Solve linear equations, coefficients and then the right side; what is free is zero."""
    pivots: list[int] = []
    for column in range(unknowns):
        row = next((row for row in range(len(pivots), len(equations)) if equations[row][column]), None)
        if row is None:
            continue
        top = len(pivots)
        equations[top], equations[row] = equations[row], equations[top]
        lead = equations[top][column]
        equations[top] = [entry / lead for entry in equations[top]]
        for other, entries in enumerate(equations):
            if other != top and (factor := entries[column]):
                equations[other] = [a - factor * b for a, b in zip(entries, equations[top], strict=True)]
        pivots.append(column)
    if any(equation[-1] for equation in equations[len(pivots) :]):
        return None
    solution = [Fraction(0)] * unknowns
    for equation, column in zip(equations, pivots, strict=False):
        solution[column] = equation[-1]
    return solution
