"""An exchange in one process: every step as the protocols call it, and the sums checked."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from mdl.bench.cases import GRID
from mdl.bench.steps import Exchange, float32_seconds, manager_peak_bytes, measure
from mdl.errors import SchemeError
from mdl.schemes.plain import Plain
from mdl.schemes.settings import PairwiseSettings, PlainSettings, PrssSettings, Requirements, SchemeSettings
from mdl.schemes.threshold import Context
from mdl.vectors import Integers

WANTED = Requirements(workers=5, threshold=3, members=3, block=4, fixed_point=GRID)


def exchange(settings: SchemeSettings, parameters: int = 30) -> Exchange:
    return Exchange(settings.build(WANTED), WANTED, parameters)


@pytest.mark.parametrize("settings", [PlainSettings(), PrssSettings(), PairwiseSettings()])
def test_the_sums_are_those_of_the_entries(settings: SchemeSettings) -> None:
    first, least = measure(exchange(settings), runs=1)
    assert least.encrypt > 0
    assert least.manager > 0
    assert least.total <= first.total


def test_where_nobody_answers_answers_cost_nothing() -> None:
    assert exchange(PairwiseSettings()).openers == []
    assert measure(exchange(PairwiseSettings()), runs=1)[1].share == 0
    assert measure(exchange(PrssSettings()), runs=1)[1].share > 0


@pytest.mark.parametrize("settings", [PlainSettings(), PrssSettings(), PairwiseSettings()])
def test_sets_may_be_drawn_block_by_block_as_balanced_selection_does(settings: SchemeSettings) -> None:
    drawn = Exchange(settings.build(WANTED), WANTED, 400, drawn=True)
    assert drawn.members == [1, 2, 3, 4, 5]
    assert drawn.part(1) == pytest.approx(3 / 5)
    uploads = {member: drawn.encrypt(member) for member in drawn.members}
    sets = {each.context.members for each in drawn.arrived(uploads)}
    assert {len(members) for members in sets} == {3}
    assert len(sets) > 5
    measure(drawn, runs=1)


def test_one_set_is_the_first_workers() -> None:
    single = exchange(PrssSettings())
    assert single.members == single.openers == [1, 2, 3]
    assert single.part(1) == 1


@pytest.mark.parametrize(
    ("limit", "calls", "openings"), [("CALL_LIMIT_BYTES", 3, 1), ("MESSAGE_LIMIT_BYTES", 1, 4)]
)
def test_what_does_not_fit_one_call_is_cut(
    monkeypatch: pytest.MonkeyPatch, limit: str, calls: int, openings: int
) -> None:
    """A block has 24 bytes of ciphertext, and an opener is shown 24 of its members."""
    monkeypatch.setattr(f"mdl.protocols.rows.{limit}", 25 * 24 if calls > 1 else 19 * 24)
    cut = exchange(PrssSettings(), 75 * 4)
    uploads = {member: cut.encrypt(member) for member in cut.members}
    assert [len(upload) for upload in uploads.values()] == [calls] * 3
    assert len(cut.arrived(uploads)) == openings
    measure(cut, runs=1)


@dataclass(frozen=True)
class Wrong(Plain):
    """Opens other sums."""

    def combine(self, body: bytes, shares: Any, context: Context) -> Integers:
        sums = super().combine(body, shares, context)
        sums[0, 0] += 1
        return sums


def test_an_exchange_with_wrong_sums_is_none() -> None:
    scheme = Wrong(block=4, bound=GRID.bound(3), members_limit=3)
    with pytest.raises(SchemeError, match="other sums"):
        measure(Exchange(scheme, WANTED, 30), runs=1)


def test_the_entries_reach_both_ends_of_the_range() -> None:
    seen: list[Integers] = []

    @dataclass(frozen=True)
    class Seeing(Plain):
        def encrypt(
            self, public_key: Any, key_share: Any, plaintext: Integers, *rest: Any, **more: Any
        ) -> Any:
            seen.append(plaintext)
            return super().encrypt(public_key, key_share, plaintext, *rest, **more)

    small = replace(WANTED, fixed_point=replace(GRID, range=1.0, fraction_bits=2))
    measure(Exchange(Seeing(block=4, bound=12, members_limit=3), small, 400), runs=1)
    assert set(np.unique(seen)) == set(range(-4, 5))


def test_the_manager_holds_at_least_what_it_was_sent() -> None:
    parameters = 100_000
    held = manager_peak_bytes(exchange(PlainSettings(), parameters))
    sent = 3 * 4 * parameters
    assert sent < held < 6 * sent


def test_a_sum_of_floats_takes_some_time() -> None:
    assert 0 < float32_seconds(100_000, 4, runs=1) < 0.1
