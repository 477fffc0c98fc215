"""Attacks work on the printed protocols, exactly, and find nothing in what is run here."""

from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdl.audit.audit import Audit, attackable, audit
from mdl.audit.collusion import dictionary, differences, single_gradients, sums_below_threshold
from mdl.audit.deviations import System
from mdl.audit.findings import findings
from mdl.audit.runs import Run, run
from mdl.audit.tables import explained
from mdl.audit.views import Stage, View, printed_coordinated, printed_on_arrival, staged
from mdl.errors import ConfigError
from mdl.schemes.elgamal import ElGamal
from mdl.schemes.encodings import EncodingName
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.groups import modular_group
from mdl.schemes.randomness import insecure_seeded
from mdl.schemes.settings import ElGamalSettings, PlainSettings
from mdl.systems.coordinated import Coordinated
from mdl.systems.dynamic import Dynamic
from mdl.systems.fedavg import FedAvg

N, M = 6, 3
TOY: dict[str, Any] = {
    "threshold": M,
    "scheme": ElGamalSettings(group="insecure64"),
    "insecure": True,
    "range": 4.0,
    "fraction_bits": 8,
}
SAFE: list[System] = [
    Coordinated(**TOY),
    Coordinated(**TOY, selection="random", share=1.0),
    Coordinated(**TOY, spare=1),
    Dynamic(**TOY),
    Dynamic(**TOY, window=4, selection="balanced"),
]
PAPER = Dynamic(**TOY, mode="paper")


def name(system: System) -> str:
    return " ".join(
        map(str, [system.type, *system.model_dump(exclude_defaults=True, exclude=set(TOY)).values()])
    )


def stage(threshold: int = M, seed: int = 1, *, encoding: EncodingName = "lifted") -> Stage:
    grid = FixedPoint(range=2, fraction_bits=6)
    chosen = "insecure64" if encoding == "lifted" else "insecure256"
    return staged(ElGamal(chosen, encoding, 1, threshold, grid, N), N, rng=insecure_seeded(seed))


def opened(guesses: Any, on: Stage) -> list[int]:
    """Which workers' gradients are guessed; every guess must be exactly right."""
    for parts, guess in guesses.items():
        np.testing.assert_array_equal(guess, sum(on.gradients[worker] for worker, _ in parts))
    return sorted(worker for parts in guesses for worker, _ in parts)


# ---------------------------------------------------------------------------------------------------------
# the protocols as printed


@given(order=st.permutations(range(1, N + 1)), m=st.integers(2, N), seed=st.integers(0, 1 << 32))
@settings(max_examples=20, deadline=None)
def test_the_manager_alone_opens_every_arrival_after_the_m_th(order: list[int], m: int, seed: int) -> None:
    on = stage(m, seed)
    view = printed_on_arrival(on, order)
    assert opened(single_gradients(view, {}), on) == sorted(order[m:])
    assert opened(differences(view.sums), on) == sorted(order[m:])


@given(order=st.permutations(range(1, N + 1)), m=st.integers(2, N - 1), data=st.data())
@settings(max_examples=20, deadline=None)
def test_the_manager_and_c_outsiders_open_the_last_c_arrivals(
    order: list[int], m: int, data: st.DataObject
) -> None:
    count = data.draw(st.integers(0, min(m - 1, N - m)))
    on = stage(m, data.draw(st.integers(0, 1 << 32)))
    view = printed_on_arrival(on, order[:m])
    outside = on.secrets(order[m : m + count])
    # With m - 1 of them the first falls too: it hands over a share of the sum so far, which is its own.
    victims = order[:m] if count == m - 1 else order[m - count : m]
    assert opened(single_gradients(view, outside), on) == sorted(victims)


def test_both_encodings_are_opened_alike() -> None:
    on = stage(encoding="exponential")
    view = printed_on_arrival(on, range(1, M + 1))
    found = single_gradients(view, on.secrets([N]))
    np.testing.assert_array_equal(found[frozenset({(M, 1)})], on.gradients[M])


def test_an_insider_adds_no_share() -> None:
    on = stage()
    view = printed_on_arrival(on, range(1, M + 1))
    for insider in range(1, M):
        assert opened(single_gradients(view, on.secrets([insider])), on) == []


def test_the_manager_and_one_outsider_see_the_sum_below_the_threshold() -> None:
    on = stage()
    view = printed_on_arrival(on, range(1, M))
    assert sums_below_threshold(view, {}, M) == {}
    for outsider in range(M, N + 1):
        found = sums_below_threshold(view, on.secrets([outsider]), M)
        assert opened(found, on) == list(range(1, M))


def test_a_second_opening_shows_the_member_left_out() -> None:
    on = stage()
    view = printed_coordinated(on, [[1, 2, 4, 5], [1, 2, 5]])
    assert opened(differences(view.sums), on) == [4]


def test_one_opening_shows_no_single_gradient() -> None:
    on = stage()
    view = printed_coordinated(on, [[1, 2, 4, 5]])
    assert differences(view.sums) == {}
    for colluders in combinations(range(1, N + 1), M - 1):
        assert opened(single_gradients(view, on.secrets(colluders)), on) == []


def test_the_dictionary_reads_nothing_where_all_candidates_look_alike() -> None:
    on = stage()
    chosen = modular_group(on.scheme.group)
    view = printed_on_arrival(on, [1, 2])
    factors = {
        value: chosen.canonical(pow(chosen.g, value % chosen.q, chosen.p)) for value in range(-128, 129)
    }
    assert dictionary(chosen, view.uploads, factors) == {}


# ---------------------------------------------------------------------------------------------------------
# what is run here


@cache
def ran(system: System) -> Run:
    return run(system, N)


def sums_of(view: View) -> int:
    return len(view.sums)


@pytest.mark.parametrize("system", [*SAFE, PAPER], ids=name)
def test_a_run_leaves_the_manager_with_the_sums_of_sets_of_at_least_m(system: System) -> None:
    views = ran(system).views
    assert sum(map(sums_of, views)) >= len(views)
    for view, truth in zip(views, ran(system).truth, strict=True):
        for parts, total in view.sums.items():
            assert len(parts) >= M
            np.testing.assert_array_equal(total, sum(truth[part] for part in parts))


@pytest.mark.parametrize("system", SAFE, ids=name)
def test_what_the_manager_holds_of_a_run_shows_no_coalition_a_gradient(system: System) -> None:
    seen = ran(system)
    for count in range(M):
        for colluders in combinations(range(1, N + 1), count):
            for view, truth in zip(seen.views, seen.truth, strict=True):
                secrets = seen.secrets(colluders)
                found = {**single_gradients(view, secrets), **sums_below_threshold(view, secrets, M)}
                for parts, guess in found.items():
                    assert not np.array_equal(guess, sum(truth[part] for part in parts))


@pytest.mark.parametrize("system", SAFE, ids=name)
def test_every_share_of_a_run_is_of_a_set_of_at_least_m(system: System) -> None:
    assert all(len(share.parts) >= M for view in ran(system).views for share in view.shares)


def test_a_run_as_printed_shows_the_manager_and_any_outsider_the_m_th_arrivals() -> None:
    seen = ran(PAPER)
    victims = 0
    for view, truth in zip(seen.views, seen.truth, strict=True):
        for parts in view.sums:
            inside = {worker for worker, _ in parts}
            for outsider in set(range(1, N + 1)) - inside:
                found = single_gradients(view, seen.secrets([outsider]))
                theirs = [part for part in parts if frozenset({part}) in found]
                assert len(theirs) == 1
                np.testing.assert_array_equal(found[frozenset(theirs)], truth[theirs[0]])
                victims += 1
    assert victims


def test_dynamic_runs_have_late_contributions() -> None:
    """Else the runs above would not show that a gradient sent twice is safe."""
    seen = ran(SAFE[3])
    repeated = [
        (worker, value)
        for truth in seen.truth
        for (worker, version), value in truth.items()
        if (worker, version + 1) in truth and np.array_equal(truth[worker, version + 1], value)
    ]
    assert repeated


# ---------------------------------------------------------------------------------------------------------
# all together


@cache
def audited(system: System, workers: int = N) -> Audit:
    return audit(system, workers)


@pytest.mark.parametrize("system", SAFE, ids=name)
def test_every_attack_works_on_the_print_and_none_of_a_coalition_here(system: System) -> None:
    found = audited(system)
    assert len(found.findings) == 10
    assert all(attack.printed.right for attack in found.findings)
    assert [attack.ours.right for attack in found.findings if attack.withstood] == [0] * 7
    assert found.broken_claims == []


@pytest.mark.parametrize("system", [SAFE[0], SAFE[3]], ids=name)
def test_a_second_opening_is_refused_by_name(system: System) -> None:
    [refused] = [f for f in audited(system).findings if f.attack.startswith("second opening")]
    assert refused.ours.said.startswith("refused to open: ")


@pytest.mark.parametrize("system", [SAFE[0], SAFE[3]], ids=name)
def test_a_deviating_manager_succeeds_and_it_is_said(system: System) -> None:
    deviating = [found for found in audited(system).findings if not found.withstood]
    assert [found.ours.right for found in deviating] == [1, 1, 1]
    assert any("succeeded in 3 of 3" in said for said in explained(audited(system)))


def test_the_printed_mode_loses_gradients_of_its_own_run_and_breaks_no_claim() -> None:
    found = audited(PAPER)
    lost = {attack.attack: attack.ours.right for attack in found.findings}
    assert lost["the m-th arrival"]
    assert lost["every arrival"] > lost["the m-th arrival"]
    assert lost["sum below the threshold"]
    assert lost["arrivals after the m-th"] == lost["difference of two published sums"] == 0
    assert found.broken_claims == []
    assert explained(found)[-1] == 'docs/security.md claims no protection for mode = "paper".'


def test_an_example_is_of_a_right_guess() -> None:
    for attack in audited(PAPER).findings:
        for result in (attack.printed, attack.ours):
            assert (result.example is None) == (result.right == 0)
            assert result.example is None or result.example.true == result.example.recovered


def test_a_claim_that_does_not_hold_is_named() -> None:
    """As though docs/security.md claimed protection for the printed mode."""
    found = audited(PAPER)
    pretended = Audit(SAFE[3], N, M, found.findings, found.judged, found.judged_of)
    assert any(broken.startswith("the m-th arrival: opens") for broken in pretended.broken_claims)
    assert any(broken.startswith("∝MDL^d as printed, sets of 3:") for broken in pretended.broken_claims)
    assert explained(pretended)[-1].startswith("A CLAIM OF docs/security.md DOES NOT HOLD: ")


@pytest.mark.parametrize(("workers", "threshold"), [(3, 3), (3, 2), (4, 3), (11, 5)])
def test_any_n_and_m_can_be_audited(workers: int, threshold: int) -> None:
    found = audited(Dynamic(**{**TOY, "threshold": threshold}), workers)
    assert found.broken_claims == []
    assert found.judged_of == ((workers, threshold) if workers <= 8 else (8, 4))


@pytest.mark.parametrize("kind", [Coordinated, Dynamic])
def test_more_openers_than_members_leave_too_few_workers_for_a_second_set(
    kind: type[Coordinated] | type[Dynamic],
) -> None:
    found = audited(kind(**TOY, opening_threshold=4))
    assert found.broken_claims == []
    assert [attack.ours.right for attack in found.findings if not attack.withstood] == [1, 1]


def test_the_grid_is_coarser_where_the_prints_larger_sets_would_not_fit() -> None:
    tight = ElGamalSettings(group="insecure256", encoding="exponential")
    system = Dynamic(**{**TOY, "scheme": tight, "range": 16.0, "fraction_bits": 12})
    assert system.problems(N) == []
    found = list(findings(system, N))
    assert found[0].printed.right
    assert not any(attack.fails_claim for attack in found)


@pytest.mark.parametrize(
    ("system", "reason"),
    [
        (Coordinated(threshold=3, scheme=PlainSettings()), "hides nothing"),
        (Coordinated(**{**TOY, "threshold": 1}), "every worker holds the key"),
        (Coordinated(**{**TOY, "scheme": ElGamalSettings(group="secp256k1")}), "multiply integers"),
        (Coordinated(**{**TOY, "block": 2, "scheme": ElGamalSettings(form="grid")}), 'form "single"'),
    ],
)
def test_where_nothing_is_hidden_there_is_nothing_to_attack(system: System, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        audit(system, N)


def test_a_system_without_protection_is_refused() -> None:
    with pytest.raises(ConfigError, match="'fedavg': it hides no gradient"):
        attackable(FedAvg())
