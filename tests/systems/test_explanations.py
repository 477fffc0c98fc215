"""What `mdl check` says of a run of ∝MDL agrees with what the run does."""

from collections.abc import Sequence
from typing import Any

import pytest

from mdl.schemes.settings import ElGamalSettings
from mdl.systems.coordinated import Coordinated
from mdl.systems.costs import EpochBytes
from mdl.systems.dynamic import Dynamic
from mdl.vectors import Blocks

ELGAMAL = {"type": "elgamal"}


def paragraphs(workers: int = 8, parameters: int = 1000, **keys: Any) -> Sequence[str]:
    return Coordinated(**{"visibility": 0.5, "scheme": ELGAMAL, **keys}).explain(workers, parameters)


def test_there_is_a_paragraph_on_each_question() -> None:
    beginnings = [paragraph.partition(":")[0] for paragraph in paragraphs()]
    assert beginnings == ["Who sees what", "Threshold", "Scheme", "Coverage", "Costs of an epoch"]


@pytest.mark.parametrize(("threshold", "why"), [(1, "holds the whole key"), (2, "by subtraction")])
def test_a_threshold_that_protects_nobody_is_said_so(threshold: int, why: str) -> None:
    [who, *_] = paragraphs(visibility=None, threshold=threshold, insecure=True)
    assert f"m = {threshold} protects nobody" in who
    assert why in who


def test_more_openers_than_members_are_told() -> None:
    _, threshold, *_ = paragraphs(opening_threshold=6)
    assert "m = 4 (ρ = 0.5 of n = 8)" in threshold
    assert "6 workers answer to open it" in threshold
    assert "while 6 workers remain" in threshold


def test_exponentiations_are_counted_over_all_workers() -> None:
    # 100 blocks of 10, 4 + 1 members and 4 openers for each parameter.
    costs = paragraphs(block=10, spare=1)[-1]
    assert f"{1000 * 5 * 2:,} exponentiations to encrypt" in costs
    assert f"{1000 * 4:,} to open" in costs


def test_the_padding_of_the_last_block_is_paid_for() -> None:
    assert f"{1200 * 4 * 2:,} exponentiations to encrypt" in paragraphs(block=400)[-1]


def test_bytes_are_those_of_the_formula() -> None:
    system = Coordinated(visibility=0.5, scheme=ElGamalSettings())
    epoch = EpochBytes(8, 4, Blocks(1000, 1), system.build_scheme(8))
    assert f"{epoch.up / 1e6:,.1f} MB up and {epoch.down / 1e6:,.1f} MB down" in paragraphs()[-1]


def test_random_selection_tells_what_will_be_missed_and_that_costs_are_about() -> None:
    *_, coverage, costs = paragraphs(selection="random")
    assert "draws k = 500 at random" in coverage
    assert "36.3% are missed an epoch" in coverage
    assert "about" in costs


def test_the_plain_scheme_costs_no_exponentiation_and_opens_without_anybody() -> None:
    _, threshold, *_, costs = paragraphs(scheme={"type": "plain"})
    assert "answer to open" not in threshold
    assert costs.endswith("no exponentiations.")


def own_pace(workers: int = 8, **keys: Any) -> Sequence[str]:
    return Dynamic(**{"visibility": 0.5, "scheme": ELGAMAL, **keys}).explain(workers, 1000)


def test_at_their_own_pace_there_is_a_paragraph_on_each_question() -> None:
    beginnings = [paragraph.partition(":")[0] for paragraph in own_pace()]
    assert beginnings == ["Who sees what", "Threshold", "Scheme", "Pace", "Costs of an epoch"]


@pytest.mark.parametrize(
    ("threshold", "nth"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (12, "12th"), (22, "22nd")]
)
def test_a_set_closes_at_its_nth_contribution(threshold: int, nth: str) -> None:
    *_, pace, _ = own_pace(workers=30, visibility=None, threshold=threshold, insecure=True)
    assert f"closes at its {nth} contribution" in pace


def test_uploads_that_show_where_gradients_are_large_are_told() -> None:
    who, *_, pace, _ = own_pace(selection="magnitude")
    assert "in which blocks each gradient is large" in who
    assert "the 500 blocks in which its gradient is largest" in pace
    assert "large" not in own_pace()[0]


@pytest.mark.parametrize(
    ("download", "seen"),
    [
        ("contribution", "of what it contributed to"),
        ("all", "every new global value, hence the sums"),
        ("quota", "the global values that it downloads, contributor or not"),
        ("stale-first", "the global values that it downloads, contributor or not"),
    ],
)
def test_what_a_worker_sees_depends_on_what_it_downloads(download: str, seen: str) -> None:
    assert seen in own_pace(download={"type": download})[0]


def test_as_printed_nobody_is_asked_once_a_set_is_closed() -> None:
    _, threshold, *_ = own_pace(mode="paper", insecure=True)
    assert "by the shares that they gave as they came" in threshold
    assert "members first" not in threshold


def test_masks_that_cancel_need_no_openers_but_every_member() -> None:
    _, threshold, *_ = paragraphs(scheme={"type": "pairwise"}, opening_threshold=None)
    assert "if one of them does not deliver, it is missed" in threshold
    assert "answer to open" not in threshold


def test_padding_that_is_noticeable_is_told_with_a_block_that_needs_less() -> None:
    *_, coverage, _ = paragraphs(block=400)
    assert "1,000 parameters in 3 blocks of 400 (200 zeros fill up the last; block = 334 would" in coverage
    *_, coverage, _ = paragraphs(block=334)
    assert "1,000 parameters in 3 blocks of 334;" in coverage
