"""The constants are what the published seed gives."""

import runpy
from pathlib import Path

import pytest

from mdl.schemes.group_constants import CONSTANTS

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "make_groups.py"))


def constant(key: str) -> int:
    return int(CONSTANTS[key], 16)


def test_the_small_schnorr_group_is_generated_again() -> None:
    q, r = SCRIPT["schnorr"]("insecure_schnorr96")
    assert (q, r) == (constant("insecure_schnorr96 q"), constant("insecure_schnorr96 r"))


@pytest.mark.parametrize("name", ["insecure64", "insecure256"])
def test_the_insecure_safe_primes_are_generated_again(name: str) -> None:
    assert SCRIPT["safe_prime"](name) == constant(f"{name} q")


@pytest.mark.parametrize("name", ["schnorr2048", "schnorr3072"])
def test_the_seed_gives_the_large_groups_order_and_the_start_for_r(name: str) -> None:
    q_bits, r_bits = SCRIPT["SCHNORR_BITS"][name]
    candidates = [SCRIPT["candidate"](name, "q", counter, q_bits) for counter in range(1000)]
    start = SCRIPT["candidate"](name, "r", 0, r_bits)
    steps, odd = divmod(constant(f"{name} r") - start, 2)
    assert constant(f"{name} q") == next(filter(SCRIPT["is_prime"], candidates))
    assert odd == 0
    # A pair of primes is expected every few hundred thousand steps: nobody went far to look for a special
    # one.
    assert 0 <= steps < 1 << 23


def test_a_candidate_has_exactly_the_bits_wanted_and_is_odd() -> None:
    for bits in (2, 47, 48, 256, 1791):
        candidate = SCRIPT["candidate"]("any", "q", 0, bits)
        assert candidate >> (bits - 2) == 3
        assert candidate % 2 == 1


def test_the_committed_file_has_the_form_that_the_script_prints() -> None:
    entry = list(SCRIPT["_entry"]("schnorr2048 r", constant("schnorr2048 r")))
    source = (Path(__file__).parents[2] / "mdl" / "schemes" / "group_constants.py").read_text()
    assert "\n".join(entry) in source
