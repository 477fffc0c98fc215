"""Programs run by all parties of an engine in one thread."""

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from torch import Tensor

from mdl.mpc.engine import Engine, Rounding
from mdl.mpc.plain import Plain
from mdl.mpc.rep3.engine import Rep3, dealt
from mdl.mpc.rep4 import engine as rep4
from mdl.mpc.rep4.engine import Rep4
from mdl.mpc.rounds import Protocol, Traffic, play
from mdl.mpc.secret import Secret

T = TypeVar("T")

Program = Callable[[Engine], Protocol[T]]


def three(rounding: Rounding = "probabilistic") -> tuple[Rep3, Rep3, Rep3]:
    return dealt([os.urandom(16) for _ in range(3)], os.urandom(16), rounding)


def four(rounding: Rounding = "probabilistic") -> tuple[Rep4, Rep4, Rep4, Rep4]:
    return rep4.dealt([os.urandom(16) for _ in range(4)], os.urandom(16), rounding)


def plainly(program: Program[T]) -> T:
    """Run a program where nothing is hidden."""
    results, _ = play({0: program(Plain())})
    return results[0]


def replicated(program: Program[T], rounding: Rounding = "probabilistic") -> tuple[T, Traffic]:
    """Run a program with three parties; give what party 0 has, and what was sent."""
    results, traffic = play({engine.party: program(engine) for engine in three(rounding)})
    return results[0], traffic


async def shared(engine: Engine, values: Tensor, owner: int = 0) -> Secret:
    """Share what one party has; there is but one where nothing is hidden."""
    owner = 0 if isinstance(engine, Plain) else owner
    return await engine.share(owner, values if engine.party == owner else None, values.shape)


def opened(operation: Callable[..., Any], *inputs: Tensor) -> Program[Tensor]:
    """Make a program of an operation on secrets: share the inputs, open the result."""

    async def program(engine: Engine) -> Tensor:
        secrets: Sequence[Secret] = [await shared(engine, each, index) for index, each in enumerate(inputs)]
        return await engine.open(await operation(engine, *secrets))

    return program
