"""Costs add up by phase."""

from mdl.mpc.tally import Cost, Tally


def test_costs_of_a_phase_add_up_and_others_stay_apart() -> None:
    tally = Tally()
    tally.add("forward", Cost(1, 100, 0.5, 0.25))
    before = tally.costs
    tally.add("forward", Cost(2, 10, 0.5, 0.5))
    tally.add("", Cost(computing_seconds=3.0))
    assert tally.costs == {"forward": Cost(3, 110, 1.0, 0.75), "": Cost(0, 0, 3.0, 0.0)}
    assert before == {"forward": Cost(1, 100, 0.5, 0.25)}
