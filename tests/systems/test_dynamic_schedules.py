"""∝MDL^d under random schedules: nothing deadlocks, nothing is lost, nothing is applied or opened twice."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from mdl.errors import TooFewWorkers
from mdl.party import MANAGER
from mdl.protocols import on_arrival
from mdl.systems.dynamic import worker
from tests.systems.schedules import EXAMPLES, Case, cases, check

ANY = settings(
    deadline=None,
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@ANY
@given(case=cases())
def test_whatever_the_schedule_the_run_completes_and_equals_the_naive_model(case: Case) -> None:
    simulation = case.run()
    assert not simulation.errors
    assert simulation.outcomes[MANAGER].epochs == case.epochs
    check(case, simulation)


@ANY
@given(case=cases(leavers=True))
def test_whoever_leaves_and_comes_back_it_completes_or_ends_by_name(case: Case) -> None:
    simulation = case.run()
    if MANAGER in simulation.errors:
        assert isinstance(simulation.errors[MANAGER], TooFewWorkers)
    else:
        assert simulation.outcomes[MANAGER].epochs == case.epochs
    check(case, simulation)


@settings(ANY, max_examples=max(20, EXAMPLES // 10))
@given(case=cases(leavers=True, plain=False))
def test_so_it_is_where_the_gradients_are_hidden_in_both_modes(case: Case) -> None:
    opened: dict[bytes, bytes] = {}
    with pytest.MonkeyPatch.context() as patch:
        spy(patch, worker, "encrypted", lambda result: result[0], opened)
        spy(patch, on_arrival, "encrypt_keeping", lambda result: result[0], opened)
        simulation = case.run()
    if MANAGER not in simulation.errors:
        assert simulation.outcomes[MANAGER].epochs == case.epochs
    check(case, simulation, opened.__getitem__)


def spy(
    patch: pytest.MonkeyPatch,
    module: Any,
    name: str,
    ciphertext: Callable[[Any], Any],
    seen: dict[bytes, bytes],
) -> None:
    """Note the plaintext of every row that is encrypted."""
    encrypt = getattr(module, name)

    def noting(scheme: Any, *given: Any, **rest: Any) -> Any:
        result = encrypt(scheme, *given, **rest)
        # One call of `encrypted` is for many plaintexts; here there is one.
        plaintext = given[2][0] if isinstance(given[2], list) else given[2]
        body, width = ciphertext(result).body, scheme.body_bytes
        for at, row in enumerate(plaintext):
            seen[body[at * width : (at + 1) * width]] = row.astype("<i4").tobytes()
        return result

    patch.setattr(module, name, noting)
