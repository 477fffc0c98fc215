"""What is tried in memory counts what is sent."""

import torch
from torch import nn

from mdl.activations import Quadratic
from mdl.mpc.blind.both_ways import OFFLINE, ONLINE
from mdl.mpc.blind.costs import tried
from mdl.schemes.randomness import SystemRandomness


def test_costs_are_those_of_the_formula() -> None:
    network = nn.Sequential(nn.Linear(6, 4), Quadratic(), nn.Linear(4, 3))
    threads = torch.get_num_threads()
    costs = tried([network, network], (6,), (5, 5), "scores", dealt=True, rng=SystemRandomness())
    assert torch.get_num_threads() == threads
    offline, online = costs.phases[OFFLINE].by_sender, costs.phases[ONLINE].by_sender
    assert offline == {0: 8 * 36, 1: 8 * 36, 2: 2 * 8 * 5 * (4 + 3 + 4)}
    assert online == dict.fromkeys((0, 1), 5 * (8 * (6 + 4) + 2 * 8 * 4 + 4 * 3))
    assert costs.rounds == 1 + 2 + 1 + 1
    assert costs.sent_bytes == sum(offline.values()) + sum(online.values())
    assert costs.cpu_seconds > 0
