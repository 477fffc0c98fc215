"""The checks of the figures about time: what bears a shape out, and what does not."""

from collections.abc import Callable, Mapping, Sequence
from itertools import product

import pytest

from mdl.reproduction import encryption, missing, scalability, theorem_1, variants, visibility_time
from mdl.reproduction.figure import Check, Data, Row
from mdl.reproduction.training import NETWORKS


def verdicts(checks: Sequence[Check]) -> list[bool]:
    return [check.holds for check in checks]


def encrypted(encrypt: Callable[[float], float], decrypt: Callable[[float], float]) -> Data:
    rows = [
        {"bits": bits, "encrypt": encrypt(bits), "decrypt": decrypt(bits), "share": 1.0, "coefficients": 1.0}
        for bits in (256, 512, 1024, 2048)
    ]
    return Data(rows, {"best_of": 1}, "measured")


def test_encryption_that_grows_with_the_square_is_super_linear() -> None:
    data = encrypted(lambda bits: bits**2 / 1e3, lambda bits: bits / 1e2)
    assert verdicts(encryption.checks_5a(data)) == [True] * 4
    assert encryption.draw_5a(data, "here").name == "figure-5a"


def test_encryption_that_grows_more_slowly_or_is_cheap_is_found_out() -> None:
    assert verdicts(encryption.checks_5a(encrypted(lambda bits: bits**0.5, lambda bits: bits))) == [False] * 4


def against_workers(encrypt: float, decrypt: float) -> Data:
    rows: list[Row] = [
        {"workers": n, "members": n // 2, "encrypt": 30 + encrypt * n, "decrypt": 3 + decrypt * n}
        for n in (4, 8, 16, 24, 32)
    ]
    return Data(rows, {}, "measured")


@pytest.mark.parametrize(
    ("encrypt", "decrypt", "held"),
    [
        (0.01, 0.2, [True, True]),
        (0.2, 0.2, [False, True]),
        (-0.2, 0.2, [False, True]),
        (0.0, -0.1, [True, False]),
    ],
)
def test_encryption_must_be_flat_and_decryption_rise(
    encrypt: float, decrypt: float, held: list[bool]
) -> None:
    assert verdicts(encryption.checks_5b(against_workers(encrypt, decrypt))) == held


def by_visibility(seconds: Callable[[int], float]) -> Data:
    schemes = (visibility_time.PRINTED, visibility_time.DOMINANT, visibility_time.OURS)
    rows: list[Row] = [
        {"network": network.name, "scheme": scheme, "members": m, "visibility": m / 8, "seconds": seconds(m)}
        for network, scheme, m in product(NETWORKS, schemes, visibility_time.MEMBERS)
    ]
    trained = {network.name: 1.0 for network in NETWORKS}
    return Data(rows, {"training_seconds": trained, "simulated_epochs": 4}, "simulated")


@pytest.mark.parametrize(
    ("seconds", "held"),
    [
        (lambda m: 1000.0 + 300 * m, [True] * 5),
        (lambda m: 1000.0 + 10 * m, [True] * 4 + [False]),
        (lambda m: 1000.0 * m, [True] * 4 + [False]),
        (lambda m: 1000.0 - m, [False] * 5),
    ],
)
def test_time_must_rise_with_visibility(seconds: Callable[[int], float], held: list[bool]) -> None:
    data = by_visibility(seconds)
    assert verdicts(visibility_time.checks(data)) == held
    assert visibility_time.draw(data, "here").name == "figure-7b"


def by_workers(slopes: Mapping[tuple[str, str], float]) -> Data:
    rows: list[Row] = [
        {
            "network": network.name,
            "scheme": scheme,
            "variant": variant,
            "m": kind,
            "workers": n,
            "members": 2,
            "seconds": 5000 + slopes[variant, kind] * n,
        }
        for network, scheme, variant, kind, n in product(
            scalability.NETWORKS,
            (scalability.PRINTED, scalability.OURS),
            scalability.VARIANTS,
            (scalability.FEW, scalability.HALF),
            scalability.WORKERS,
        )
        if scheme == scalability.PRINTED or n in scalability.OUR_WORKERS
    ]
    trained = {network.name: 1.0 for network in scalability.NETWORKS}
    return Data(rows, {"training_seconds": trained, "simulated_epochs": 4}, "simulated")


@pytest.mark.parametrize(
    ("half", "few", "dynamic", "held"),
    [
        (300.0, 10.0, -20.0, [True, True, True]),
        (300.0, 10.0, 400.0, [True, True, False]),
        (10.0, 300.0, 1.0, [False, False, True]),
        (-5.0, -10.0, 1.0, [False, False, False]),
    ],
)
def test_what_m_adds_must_exceed_what_n_adds(
    half: float, few: float, dynamic: float, held: list[bool]
) -> None:
    slopes = {("c", "n/2"): half, ("c", "2"): few, ("d", "n/2"): dynamic, ("d", "2"): 0.0}
    data = by_workers(slopes)
    assert verdicts(scalability.checks(data)) == held
    assert scalability.draw(data, "here").name == "figure-9"


def raced(times: Mapping[tuple[str, float], float]) -> Data:
    """Curves that reach 85 % after so many seconds, by variant and delay, with every scheme and clock."""
    rows: list[Row] = [
        {
            "clock": clock,
            "scheme": scheme,
            "variant": variant,
            "slope": slope,
            "seed": seed,
            "epoch": epoch,
            "seconds": seconds * epoch / 2,
            "accuracy": 0.425 * epoch,
        }
        for (variant, slope), seconds in times.items()
        for clock, scheme, seed, epoch in product(
            ("virtual", "wall"), (variants.PRINTED, variants.OURS), (1, 2), (1, 2)
        )
    ]
    return Data(rows, {"training_seconds": 1.0, "seeds": [1, 2]}, "simulated")


@pytest.mark.parametrize(("dynamic", "held"), [(10.0, [True]), (9.0, [True]), (11.0, [False])])
def test_the_dynamic_variant_must_be_no_slower(dynamic: float, held: list[bool]) -> None:
    data = raced({("c", 0.0): 10.0, ("d", 0.0): dynamic})
    assert verdicts(variants.checks_8a(data)) == held
    assert variants.draw_8a(data, "here").name == "figure-8a"


@pytest.mark.parametrize(("late", "held"), [(40.0, True), (55.0, False)])
def test_delays_must_widen_the_gap(late: float, held: bool) -> None:
    data = raced({("c", 0.0): 12.0, ("d", 0.0): 10.0, ("c", 5.0): 60.0, ("d", 5.0): late})
    assert verdicts(variants.checks_8b(data)) == [held, held]
    assert variants.draw_8b(data, "here").name == "figure-8b"


def test_the_share_of_missed_parameters_is_the_binomial() -> None:
    assert missing.missing_share(0.47, 2) == pytest.approx(0.0504, abs=0.003)


@pytest.mark.parametrize(("drawn", "held"), [(0.05, [True, True, True]), (0.2, [False, False, True])])
def test_a_selection_that_misses_more_is_found_out(drawn: float, held: list[bool]) -> None:
    rows = [{"threshold": 2, "share": 0.47, "exact": 0.0504, "bound": 0.094, "drawn": drawn}]
    assert verdicts(missing.checks(Data(rows, {}, "computed"))) == held


def test_the_variance_of_a_mean_is_theorem_1s() -> None:
    assert theorem_1.variance_of_mean(4) == pytest.approx(2 / 4, rel=0.03)


@pytest.mark.parametrize(("variance", "held"), [(0.51, True), (0.52, False), (0.48, False)])
def test_a_variance_that_is_off_is_found_out(variance: float, held: bool) -> None:
    data = Data([{"members": 4, "variance": variance, "theorem": 0.5}], {}, "computed")
    assert verdicts(theorem_1.checks(data)) == [held]
