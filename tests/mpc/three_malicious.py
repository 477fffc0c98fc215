"""Programs run by three parties of whom one may be malicious, in one thread."""

import os
from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor

from mdl.mpc.engine import Rounding
from mdl.mpc.rep3_malicious.engine import Rep3Malicious, dealt
from mdl.mpc.rounds import Protocol, Traffic, play
from tests.mpc.parties import Program

T = TypeVar("T")

UNITS = 61
"""Enough for a wrong conjunction to be found out in all but one of some thousand runs."""

CHECK, OPENING = 4, 1
"""Rounds."""

ROUNDINGS: tuple[Rounding, Rounding] = ("probabilistic", "nearest")


def engines(rounding: Rounding = "probabilistic", units: int = UNITS) -> tuple[Rep3Malicious, ...]:
    return dealt([os.urandom(16) for _ in range(3)], os.urandom(16), rounding, units=units)


def repeated(
    program: Program[T], rounding: Rounding = "probabilistic", units: int = UNITS
) -> dict[int, Protocol[T]]:
    """Give the protocols of a run that is the same each time."""
    insecure_keys = [bytes([number]) * 16 for number in range(4)]
    found = dealt(insecure_keys[:3], insecure_keys[3], rounding, units=units)
    return {engine.party: program(engine) for engine in found}


def run(program: Program[T], rounding: Rounding = "probabilistic") -> tuple[dict[int, T], Traffic]:
    return play({engine.party: program(engine) for engine in engines(rounding)})


def agreed(found: Mapping[int, Tensor]) -> Tensor:
    """Give what all three say."""
    assert sorted(found) == [0, 1, 2]
    assert all(torch.equal(each, found[0]) for each in found.values())
    return found[0]


def is_hash(message: Tensor) -> bool:
    return message.dtype == torch.uint8 and message.shape == (32,)
