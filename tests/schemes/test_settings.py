from typing import Any, get_args

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from mdl.schemes.elgamal import ElGamal
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.groups import GROUP_NAMES, GroupName
from mdl.schemes.plain import Plain
from mdl.schemes.randomness import insecure_seeded
from mdl.schemes.settings import AnyScheme, ElGamalSettings, Exponentiations, PlainSettings, Requirements
from mdl.schemes.threshold import Context

DEFAULT = FixedPoint(range=16, fraction_bits=12)
SMALL = FixedPoint(range=1, fraction_bits=4)


def wanted(
    *,
    threshold: int = 4,
    members: int = 8,
    workers: int = 8,
    block: int = 1,
    fixed_point: FixedPoint = DEFAULT,
) -> Requirements:
    return Requirements(
        workers=workers, threshold=threshold, members=members, block=block, fixed_point=fixed_point
    )


TABLE: TypeAdapter[Any] = TypeAdapter(AnyScheme)


def test_a_table_is_read_by_its_type() -> None:
    assert TABLE.validate_python({"type": "plain"}) == PlainSettings()
    assert TABLE.validate_python({"type": "elgamal"}) == ElGamalSettings(
        group="schnorr2048", encoding="lifted"
    )


@pytest.mark.parametrize(
    "table",
    [{"type": "rot13"}, {}, {"type": "elgamal", "group": "tiny"}, {"type": "plain", "group": "schnorr2048"}],
)
def test_an_unknown_type_group_or_key_is_refused(table: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        TABLE.validate_python(table)


def test_every_group_may_be_asked_for() -> None:
    assert get_args(GroupName) == GROUP_NAMES
    for name in GROUP_NAMES:
        assert TABLE.validate_python({"type": "elgamal", "group": name}).group == name


def test_the_schemes_are_built_for_the_largest_active_set() -> None:
    elgamal = ElGamalSettings(group="insecure_schnorr96").build(
        wanted(block=2, threshold=3, fixed_point=SMALL, members=5)
    )
    plain = PlainSettings().build(wanted(block=2, threshold=3, fixed_point=SMALL, members=5))
    assert elgamal == ElGamal("insecure_schnorr96", "lifted", 2, 3, SMALL, 5)
    assert plain == Plain(block=2, bound=80, members_limit=5)


@pytest.mark.parametrize("settings", [ElGamalSettings(group="insecure64"), PlainSettings()])
def test_all_schemes_refuse_the_same_entries(settings: ElGamalSettings | PlainSettings) -> None:
    scheme = settings.build(wanted(block=1, threshold=3, fixed_point=SMALL, members=5))
    key, shares = scheme.deal((1, 2, 3), rng=insecure_seeded(0))
    context = Context(b"run", 1, [0])
    scheme.encrypt(key, shares[1], np.array([[16]]), context, rng=insecure_seeded(0))
    with pytest.raises(Exception, match="outside ±16"):
        scheme.encrypt(key, shares[1], np.array([[17]]), context, rng=insecure_seeded(0))


@pytest.mark.parametrize("settings", [ElGamalSettings(), PlainSettings()])
def test_the_defaults_fit(settings: ElGamalSettings | PlainSettings) -> None:
    assert settings.problems(wanted(threshold=4, fixed_point=DEFAULT, members=8)) == []


@pytest.mark.parametrize("settings", [ElGamalSettings(), PlainSettings()])
@pytest.mark.parametrize(("threshold", "members"), [(0, 4), (4, 0)])
def test_a_scheme_for_nobody_is_a_problem(
    settings: ElGamalSettings | PlainSettings, threshold: int, members: int
) -> None:
    (problem,) = settings.problems(wanted(threshold=threshold, fixed_point=DEFAULT, members=members))
    assert "must be at least 1, not 0" in problem
    with pytest.raises(ValueError, match="at least 1"):
        settings.build(wanted(block=1, threshold=threshold, fixed_point=DEFAULT, members=members))


@pytest.mark.parametrize("settings", [ElGamalSettings(), PlainSettings()])
def test_more_openers_than_members_may_be_asked_for(settings: ElGamalSettings | PlainSettings) -> None:
    assert settings.problems(wanted(threshold=5, fixed_point=DEFAULT, members=3)) == []


def test_sums_that_do_not_fit_are_a_problem() -> None:
    (elgamal,) = ElGamalSettings().problems(wanted(threshold=4, fixed_point=DEFAULT, members=40))
    assert "possible sums" in elgamal
    finest = FixedPoint(range=1 << 19, fraction_bits=32)
    (plain,) = PlainSettings().problems(wanted(threshold=4, fixed_point=finest, members=8))
    assert "system.range may be at most" in plain


def test_exponentials_in_a_schnorr_group_are_a_problem() -> None:
    (problem,) = ElGamalSettings(encoding="exponential").problems(
        wanted(threshold=3, fixed_point=SMALL, members=4)
    )
    assert "safe-prime" in problem


def test_the_default_is_described_with_its_level_and_its_capacity() -> None:
    described = ElGamalSettings().describe(wanted(threshold=4, fixed_point=DEFAULT, members=8))
    who, why = described.split(". ")
    assert who == (
        "ElGamal in schnorr2048, a Schnorr group modulo a prime of 2048 bits (about 112 bits of security), "
        "opened by any 4 workers"
    )
    assert why == (
        "The lifted encoding has 1,048,577 possible sums, of 4,194,304 that a decoding table may hold."
    )


def test_an_insecure_group_is_described_as_such() -> None:
    settings = ElGamalSettings(group="insecure256", encoding="exponential")
    described = settings.describe(wanted(threshold=4, fixed_point=DEFAULT, members=4))
    assert "a safe-prime group modulo a prime of 256 bits (NO SECURITY)" in described
    assert "product of 249.3 bits" in described
    assert settings.insecure


def test_the_curve_and_the_forms_are_described_by_their_names() -> None:
    curve = ElGamalSettings(group="secp256k1", form="grid")
    assert curve.describe(wanted(block=374)).startswith(
        "ElGamal as a grid, a key for each position in a block and a nonce for each block, in secp256k1, an "
        "elliptic curve over a prime field of 256 bits (about 128 bits of security), opened by any 4 workers."
    )
    assert not curve.insecure
    assert "the slow baseline" in ElGamalSettings(form="naive").describe(wanted())
    assert not ElGamalSettings(form="naive").insecure


def test_a_grid_of_single_parameters_is_a_problem() -> None:
    (problem,) = ElGamalSettings(form="grid").problems(wanted(block=1))
    assert "blocks of 2" in problem
    assert ElGamalSettings(form="grid").problems(wanted(block=2)) == []
    built = ElGamalSettings(form="grid").build(wanted(block=2))
    assert isinstance(built, ElGamal)
    assert built.form == "grid"


def test_exponentials_on_the_curve_are_a_problem() -> None:
    (problem,) = ElGamalSettings(group="secp256k1", encoding="exponential").problems(wanted())
    assert problem.endswith('set system.scheme.encoding = "lifted"')


def test_the_plain_scheme_says_that_it_hides_nothing() -> None:
    assert "No cryptography" in PlainSettings().describe(wanted(threshold=4, fixed_point=DEFAULT, members=8))
    assert PlainSettings().security_bits is None
    assert not PlainSettings().insecure


def test_costs_are_told_before_a_run() -> None:
    elgamal, plain = ElGamalSettings(), PlainSettings()
    assert elgamal.exponentiations(wanted(block=3)) == Exponentiations(6, 3, 0)
    assert ElGamalSettings(form="grid").exponentiations(wanted(block=3)) == Exponentiations(4, 3, 0)
    assert ElGamalSettings(form="naive").exponentiations(wanted(block=3)) == Exponentiations(6, 3, 12)
    assert plain.exponentiations(wanted(block=3)) == Exponentiations(0, 0, 0)
    assert (elgamal.security_bits, elgamal.insecure) == (112, False)
