import pytest
from pydantic import TypeAdapter, ValidationError

from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.paillier import Paillier
from mdl.schemes.settings import AnyScheme, Exponentiations, PaillierSettings, Requirements, SchemeSettings

DEFAULT = FixedPoint(range=16, fraction_bits=12)
TABLE: TypeAdapter[SchemeSettings] = TypeAdapter(AnyScheme)


def wanted(
    *, threshold: int = 4, members: int = 8, block: int = 16_384, fixed_point: FixedPoint = DEFAULT
) -> Requirements:
    return Requirements(workers=8, threshold=threshold, members=members, block=block, fixed_point=fixed_point)


@pytest.mark.parametrize(("modulus", "bits"), [(2048, 112), (3072, 128), ("insecure512", 0)])
def test_a_table_names_its_modulus(modulus: int | str, bits: int) -> None:
    settings = TABLE.validate_python({"type": "paillier", "modulus": modulus})
    assert settings.security_bits == bits
    assert settings.insecure == (bits == 0)
    assert settings.heavy


@pytest.mark.parametrize("modulus", [512, 1024, "2049", "insecure"])
def test_other_moduli_are_refused(modulus: int | str) -> None:
    with pytest.raises(ValidationError):
        TABLE.validate_python({"type": "paillier", "modulus": modulus})


def test_the_scheme_is_built_as_wanted() -> None:
    assert PaillierSettings().build(wanted()) == Paillier(
        modulus_bits=2048, block=16_384, threshold=4, workers=8, fixed_point=DEFAULT, members_limit=8
    )


def test_the_default_is_described_with_its_level_and_its_capacity() -> None:
    assert PaillierSettings().describe(wanted()) == (
        "ElGamal modulo N², N of 2048 bits (about 112 bits of security), additive, opened by any 4 workers, "
        "whose key shares have 354 bits. 97 parameters are packed into a plaintext, in slots of 21 bits for "
        "sums up to ±524,288."
    )
    assert "(NO SECURITY)" in PaillierSettings(modulus="insecure512").describe(wanted())


@pytest.mark.parametrize(("block", "fits"), [(1, False), (96, False), (97, True)])
def test_a_block_fills_a_plaintext_at_least(block: int, fits: bool) -> None:
    problems = PaillierSettings().problems(wanted(block=block))
    assert [f"not {block}" in problem for problem in problems] == [] if fits else [True]
    if not fits:
        with pytest.raises(ValueError, match="take blocks of at least 97"):
            PaillierSettings().build(wanted(block=block))


def test_sums_too_wide_for_a_slot_are_a_problem() -> None:
    finest = FixedPoint(range=1 << 19, fraction_bits=32)
    (problem,) = PaillierSettings().problems(wanted(members=1 << 12, fixed_point=finest))
    assert "slots of" in problem


def test_more_openers_than_workers_are_a_problem() -> None:
    (problem,) = PaillierSettings().problems(wanted(threshold=9))
    assert problem == "9 openers are more than the 8 workers"


@pytest.mark.parametrize(("threshold", "members"), [(0, 4), (4, 0)])
def test_a_scheme_for_nobody_is_a_problem(threshold: int, members: int) -> None:
    (problem,) = PaillierSettings().problems(wanted(threshold=threshold, members=members))
    assert "must be at least 1, not 0" in problem


def test_costs_are_told_before_a_run() -> None:
    # 16,384 parameters are 169 plaintexts in two lines.
    assert PaillierSettings().exponentiations(wanted()) == Exponentiations(171, 171, 845)
