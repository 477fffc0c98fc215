"""Costs add up by phase."""

from mdl.mpc.tally import Cost, Tally


def test_costs_of_a_phase_add_up_and_others_stay_apart() -> None:
    tally = Tally()
    tally.add("forward", rounds=1, sent_bytes=100, computing_seconds=0.5, waiting_seconds=0.25)
    before = tally.costs
    tally.add("forward", rounds=2, sent_bytes=10, computing_seconds=0.5, waiting_seconds=0.5)
    tally.add("", computing_seconds=3.0)
    assert tally.costs == {"forward": Cost(3, 110, 1.0, 0.75), "": Cost(0, 0, 3.0, 0.0)}
    assert before == {"forward": Cost(1, 100, 0.5, 0.25)}
