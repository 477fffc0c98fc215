from dataclasses import replace
from math import e, log, pi, sqrt
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mdl.errors import InvalidShare, NotEnoughShares, OutOfRange, SchemeError
from mdl.schemes.fixed_point import FixedPoint
from mdl.schemes.randomness import insecure_seeded
from mdl.schemes.rlwe import KeySharingName, Rlwe, binomial, capacity_problems, explain_capacity, field, ring
from mdl.schemes.rlwe.hardness import standard_bits
from mdl.schemes.settings import Requirements, RlweSettings
from mdl.schemes.threshold import Context
from tests.conformance.threshold_encryption import BOUND, HIDING, SCENARIOS, Case, Exchange, Scenario, title

SMALL: Final = FixedPoint(range=4, fraction_bits=4)
DEFAULT: Final = FixedPoint(range=16, fraction_bits=12)
MODULUS: Final = 1 << 32
KEYS: Final[tuple[KeySharingName, ...]] = ("prss", "shamir")
POINTS: Final = (1, 2, 3, 4, 5, 6)


def insecure_toy(keys: KeySharingName) -> Rlwe:
    """A degree that hides nothing; rows of two polynomials, the second partly filled."""
    return Rlwe(block=5, threshold=3, workers=6, fixed_point=SMALL, members_limit=4, keys=keys, degree=4)


def full_size(keys: KeySharingName = "prss", *, block: int = 5000, fixed_point: FixedPoint = DEFAULT) -> Rlwe:
    return Rlwe(block=block, threshold=3, workers=6, fixed_point=fixed_point, members_limit=6, keys=keys)


def exchange(
    scheme: Rlwe, members: tuple[int, ...] = (1, 2, 4), openers: tuple[int, ...] = (2, 5, 6)
) -> Exchange:
    """Encrypt entries at the edges of the range and between."""
    context = Context(b"run", 3, blocks=[8, 5], members=members, openers=openers)
    public, secrets = scheme.deal(POINTS, rng=insecure_seeded(1))
    random, limit = np.random.default_rng(2), scheme.fixed_point.limit
    entries = random.integers(-limit, limit, (len(members), 2, scheme.block), endpoint=True)
    entries[:, 0, : scheme.block // 2] = limit
    entries[:, 1, : scheme.block // 2] = -limit
    rng = insecure_seeded(3)
    ciphertexts = [
        scheme.encrypt(public, secrets[member], plain, context, rng=rng)
        for member, plain in zip(members, entries, strict=True)
    ]
    case = Case("full size", scheme, block=scheme.block, limit=limit, members_limit=scheme.members_limit)
    return Exchange(case, context, public, secrets, list(entries), ciphertexts)


CASES: Final = [
    Case(f"insecure toy, {keys} keys", insecure_toy(keys), block=5, limit=SMALL.limit, members_limit=4)
    for keys in KEYS
]


@pytest.mark.parametrize("case", CASES, ids=title)
@pytest.mark.parametrize("scenario", [*SCENARIOS, *HIDING, *BOUND], ids=title)
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_masks_keep_the_contract(scenario: Scenario, case: Case, data: st.DataObject) -> None:
    scenario(case, data)


# ------------------------------------------------------------------------------------------ exactness


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize("block", [256, 2048, 2049, 5000, 20_000])
@pytest.mark.parametrize("members", [(5,), (1, 2, 4), POINTS], ids=len)
def test_sums_are_exact_at_full_size(keys: KeySharingName, block: int, members: tuple[int, ...]) -> None:
    done = exchange(full_size(keys, block=block), members)
    np.testing.assert_array_equal(done.open(done.shares()), done.sum)


def test_all_the_noise_there_can_be_leaves_sums_exact() -> None:
    """The errors of six members tile the integers: D x ± 32 * 6 is read as x, and one more as x ± 1."""
    scheme = full_size(block=256)
    context = Context(b"run", 1, blocks=[1], members=POINTS, openers=(1, 2, 3))
    no_keys = dict.fromkeys(context.openers, bytes(scheme.share_bytes))
    sums = np.arange(-128, 128)
    for error, read in ((-193, -1), (-192, 0), (0, 0), (192, 0), (193, 1)):
        body = (sums * 385 + error).astype("<i4").tobytes()
        np.testing.assert_array_equal(scheme.combine(body, no_keys, context)[0], sums + read)


def test_errors_that_so_few_members_cannot_have_are_refused() -> None:
    scheme = full_size(block=256)
    context = Context(b"run", 1, blocks=[1], members=(1, 2), openers=(1, 2, 3))
    no_keys = dict.fromkeys(context.openers, bytes(scheme.share_bytes))
    for error, refused in ((64, False), (65, True), (-64, False), (-65, True)):
        body = np.full(256, error, "<i4").tobytes()
        if refused:
            with pytest.raises(OutOfRange):
                scheme.combine(body, no_keys, context)
        else:
            assert not scheme.combine(body, no_keys, context).any()


def test_a_sum_that_these_members_cannot_have_is_refused() -> None:
    scheme = full_size(block=256)
    context = Context(b"run", 1, blocks=[1], members=(1, 2), openers=(1, 2, 3))
    no_keys = dict.fromkeys(context.openers, bytes(scheme.share_bytes))
    largest = 2 * DEFAULT.limit
    body = np.full(256, 385 * largest, "<i4")
    assert (scheme.combine(body.tobytes(), no_keys, context) == largest).all()
    body[7] += 385
    with pytest.raises(OutOfRange):
        scheme.combine(body.tobytes(), no_keys, context)


@given(limit=st.integers(1, 1 << 30), members=st.integers(1, 1000))
def test_what_is_said_to_fit_is_what_fits(limit: int, members: int) -> None:
    fixed_point = FixedPoint(range=limit, fraction_bits=0)
    fits = (64 * members + 1) * (2 * members * limit + 1) <= MODULUS * 3 // 4
    assert bool(capacity_problems(fixed_point, members)) is not fits


def test_capacity_is_explained() -> None:
    assert capacity_problems(DEFAULT, 16) == []
    (problem,) = capacity_problems(DEFAULT, 32)
    assert problem.startswith("sums reach 2,097,152, and 786,047 is what fits beside the noise of 32 members")
    assert explain_capacity(DEFAULT, 8).startswith("room for sums up to ")


@pytest.mark.parametrize(
    "change",
    [
        {"block": 0},
        {"threshold": 0},
        {"workers": 0},
        {"members_limit": 0},
        {"fixed_point": FixedPoint(range=2**20, fraction_bits=12)},
        {"workers": 16, "threshold": 8, "members_limit": 16},  # 6,435 terms
        {"workers": 3},  # an opener's share would tell its own key
    ],
    ids=str,
)
def test_a_scheme_that_makes_no_sense_or_does_not_fit_cannot_be_made(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be at least 1|sums|its key"):
        replace(full_size(), **change)


# ------------------------------------------------------------------------------------------ what is altered


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize("block", [256, 5000])
@given(at=st.integers(0, 2 * 2048 - 1), change=st.integers(1, field.P - 1))
@settings(max_examples=10, deadline=None)
def test_an_altered_share_is_noticed(keys: KeySharingName, block: int, at: int, change: int) -> None:
    done = exchange(full_size(keys, block=block))
    shares = done.shares()
    words = np.frombuffer(shares[5], "<u2").astype(np.int64)
    words[at] = (words[at] + change) % field.P
    with pytest.raises(OutOfRange):
        done.open({**shares, 5: words.astype("<u2").tobytes()})


@pytest.mark.parametrize("scale", [1, 30_000])
def test_a_share_that_is_random_is_noticed(scale: int) -> None:
    """Small changes give keys that are short enough to go on with, and sums that cannot be."""
    done = exchange(full_size(block=256))
    shares = done.shares()
    words = np.frombuffer(shares[5], "<u2").astype(np.int64)
    words += np.random.default_rng(1).integers(-scale, scale + 1, words.shape)
    with pytest.raises(OutOfRange):
        done.open({**shares, 5: (words % field.P).astype("<u2").tobytes()})


def test_a_share_with_a_word_that_is_no_element_is_blamed_on_its_sender() -> None:
    done = exchange(full_size(block=256))
    shares = done.shares()
    shares[5] = b"\xff\xff" + shares[5][2:]
    with pytest.raises(InvalidShare) as refused:
        done.open(shares)
    assert refused.value.culprits == (5,)
    with pytest.raises(InvalidShare) as refused:
        done.case.scheme.rebase(shares[5], 5, done.context, (1, 2, 5))
    assert refused.value.culprits == (5,)


def test_an_altered_body_is_another_plaintext_where_the_sum_stays_possible() -> None:
    """Nobody can tell: a member may send what it likes. Beyond the bound it is noticed."""
    done = exchange(full_size(block=5000))
    step = 64 * 6 + 1
    body = np.frombuffer(done.body, "<u4").copy()
    body[4999] += step
    expected = done.sum
    expected[0, 4999] += 1
    scheme, shares = done.case.scheme, done.shares()
    np.testing.assert_array_equal(scheme.combine(body.tobytes(), shares, done.context), expected)
    body[0] += step  # where the members' sum is at its largest
    with pytest.raises(OutOfRange):
        scheme.combine(body.tobytes(), shares, done.context)


# ------------------------------------------------------------------------------------------ what is hidden


def test_a_body_looks_uniform() -> None:
    """Chi-square over 256 classes of the upper bytes, below 255 + 5 standard deviations, of all zeros."""
    done = exchange(full_size(block=50_000))
    plaintext = np.zeros((2, 50_000), np.int64)
    body = done.encrypt(plaintext, insecure_seeded(4)).body
    counts = np.bincount(np.frombuffer(body, np.uint8)[3::4], minlength=256)
    expected = 100_000 / 256
    assert ((counts - expected) ** 2 / expected).sum() < 255 + 5 * np.sqrt(2 * 255)


@pytest.mark.parametrize("keys", KEYS)
def test_threshold_less_one_shares_give_values_that_have_nothing_of_the_sum(keys: KeySharingName) -> None:
    """Decoded without any check, the sum's correlation with the truth is within five standard deviations."""
    done = exchange(full_size(keys, block=5000), openers=(2, 5, 6))
    shares = {opener: np.frombuffer(share, "<u2") for opener, share in done.shares().items()}

    def decoded(openers: tuple[int, ...]) -> NDArray[np.float64]:
        total = np.zeros((2, ring.DEGREE), np.int64)
        for opener in openers:
            total += shares[opener].reshape(2, -1)
        key = field.centred(field.reduce(total))
        rows = np.frombuffer(done.body, "<u4").reshape(2, -1).copy()
        # A sum of too few shares is longer than products are exact for: it is taken off in parts.
        for part in (*[key // 64] * 64, key % 64):
            ring.add_products(rows, -part)
        return np.rint(rows.view(np.int32) / (64 * 6 + 1))

    np.testing.assert_array_equal(decoded((2, 5, 6)), done.sum)
    for openers in ((2, 5), (5, 6), ()):
        correlation = np.corrcoef(decoded(openers).reshape(-1), done.sum.reshape(-1))[0, 1]
        assert abs(correlation) < 5 / np.sqrt(done.sum.size)


def test_two_openings_under_one_key_tell_the_difference_of_the_sets() -> None:
    """Why a worker answers once for a block (`mdl.protocols.opening`), and every block has its own key."""
    first = exchange(full_size(block=300), members=(1, 2, 4))
    second = replace(
        first,
        context=replace(first.context, members=(1, 2)),
        ciphertexts=first.ciphertexts[:2],
        plaintexts=first.plaintexts[:2],
    )
    difference = first.open(first.shares()) - second.open(second.shares())
    np.testing.assert_array_equal(difference, first.plaintexts[2])


def test_the_same_rows_encrypted_again_share_no_mask() -> None:
    """A worker that was restarted may encrypt for the same epoch and block again."""
    done = exchange(full_size(block=5000))
    rng = insecure_seeded(5)
    first, second = (np.frombuffer(done.encrypt(done.plaintexts[0], rng).body, "<u4") for _ in range(2))
    # With one key the difference would be one of errors, 64 at most.
    assert np.median(np.abs((first - second).view(np.int32))) > MODULUS / 16


# ------------------------------------------------------------------------------------------ refusals


def test_more_members_than_sums_fit_for_are_refused() -> None:
    done = exchange(replace(full_size(block=256), members_limit=3))
    crowd = replace(done.context, members=(1, 2, 3, 4))
    scheme = done.case.scheme
    hints = [ciphertext.hint for ciphertext in done.ciphertexts]
    with pytest.raises(OutOfRange):
        scheme.add([done.body] * 4, crowd)
    with pytest.raises(OutOfRange):
        scheme.decryption_share(done.key_shares[2], [*hints, hints[0]], crowd, rng=insecure_seeded(1))
    with pytest.raises(OutOfRange):
        scheme.combine(done.body, done.shares(), crowd)


@pytest.mark.parametrize(
    ("openers", "problem"),
    [((2, 5), NotEnoughShares), ((2, 5, 5), SchemeError), ((0, 2, 5), SchemeError)],
)
def test_openers_who_cannot_open_are_refused(openers: tuple[int, ...], problem: type[SchemeError]) -> None:
    done = exchange(full_size(block=256))
    with pytest.raises(problem):
        done.share(2, replace(done.context, openers=openers))
    with pytest.raises(problem):
        done.case.scheme.rebase(done.share(2), 2, done.context, openers)


def test_what_is_not_as_wide_as_a_row_is_refused() -> None:
    done = exchange(full_size(block=256))
    with pytest.raises(InvalidShare):
        done.case.scheme.combine(done.body[4:], done.shares(), done.context)
    with pytest.raises(InvalidShare):
        done.open({**done.shares(), 5: b""})


def test_rows_have_the_widths_that_a_user_is_told() -> None:
    assert full_size("prss", block=16_384).body_bytes == 4 * 16_384
    assert full_size("prss").hint_bytes == full_size("prss").shown_bytes == 8
    assert full_size("shamir").hint_bytes == 12 + 6 * (4096 + 16)
    assert full_size("shamir").shown_bytes == 12 + 4096 + 16
    assert full_size("shamir").share_bytes == full_size("prss").share_bytes == 4096


# ------------------------------------------------------------------------------------------ parameters


def test_the_parameters_are_within_the_standard() -> None:
    assert standard_bits(ring.DEGREE, ring.MODULUS_BITS) == 192
    assert standard_bits(1024, 29) == 128
    assert standard_bits(1024, 30) == 0
    assert standard_bits(512, 8) == 0


def core_svp(degree: int, modulus: int, deviation: float) -> int:
    """Give the least block size β at which the primal attack succeeds.

    The condition is σ sqrt(β) <= δ^(2β - d - 1) q^(k / d) for some number k of samples, d = degree + k + 1
    [ADPS16, §6.3: E. Alkim, L. Ducas, T. Pöppelmann, P. Schwabe, Post-quantum key exchange: a new hope,
    USENIX Security 2016]. A call of the sieve costs 2^(0.292 β).
    """

    def succeeds(beta: int) -> bool:
        delta = ((pi * beta) ** (1 / beta) * beta / (2 * pi * e)) ** (1 / (2 * (beta - 1)))
        samples = np.arange(degree // 8, 3 * degree)
        dimension = degree + samples + 1
        reached = (2 * beta - dimension - 1) * log(delta) + samples / dimension * log(modulus)
        return bool((reached >= log(deviation * sqrt(beta))).any())

    return next(beta for beta in range(60, 2000) if succeeds(beta))


@pytest.mark.parametrize(("deviation", "bits"), [(4.0, 223), (2.84, 214)])
def test_the_primal_attack_is_out_of_reach_before_and_after_an_opening(deviation: float, bits: int) -> None:
    assert int(0.292 * core_svp(ring.DEGREE, MODULUS, deviation)) == bits


@pytest.mark.parametrize(
    ("degree", "deviation", "published"), [(1024, sqrt(8), 967), (512, sqrt(12), 449)], ids=str
)
def test_the_estimate_agrees_with_what_is_published(degree: int, deviation: float, published: int) -> None:
    """β of the primal attack on NewHope and JarJar, q = 12289 [ADPS16, table 1], within one in a hundred."""
    assert abs(core_svp(degree, 12_289, deviation) / published - 1) < 0.01


def test_an_error_given_the_sum_of_two_has_the_deviation_that_is_claimed() -> None:
    """64 of 128 bits are set where the sum is 0: of the first 64, a hypergeometric number."""
    values = np.zeros((2, 1 << 16), np.int32)
    binomial.add(values, rng=insecure_seeded(1))
    total = values.sum(axis=0)
    kept = values[0][total == 0]
    assert len(kept) > 4000
    assert abs(kept.std() - sqrt(64 * 64 / (4 * 127))) < 0.15


# ------------------------------------------------------------------------------------------ the table


def wanted(**changes: Any) -> Requirements:
    default = Requirements(workers=8, threshold=4, members=8, block=16_384, fixed_point=DEFAULT)
    return replace(default, **changes)


@pytest.mark.parametrize(
    ("workers", "threshold", "keys"),
    [
        (8, 4, "prss"),
        (10, 5, "prss"),
        (11, 5, "shamir"),
        (32, 16, "shamir"),
        (129, 2, "prss"),
        (4, 4, "shamir"),
    ],
)
def test_keys_are_shared_pseudo_randomly_while_that_takes_few_keys(
    workers: int, threshold: int, keys: KeySharingName
) -> None:
    asked = wanted(workers=workers, threshold=threshold)
    built = RlweSettings().build(asked)
    assert isinstance(built, Rlwe)
    assert built.keys == keys
    assert built == replace(full_size(), **_fields(asked), keys=keys)


def _fields(asked: Requirements) -> dict[str, Any]:
    return {
        "block": asked.block,
        "threshold": asked.threshold,
        "workers": asked.workers,
        "fixed_point": asked.fixed_point,
        "members_limit": asked.members,
    }


@pytest.mark.parametrize("keys", KEYS)
def test_the_way_to_share_keys_may_be_asked_for(keys: KeySharingName) -> None:
    built = RlweSettings(keys=keys).build(wanted(workers=12, threshold=6))
    assert isinstance(built, Rlwe)
    assert built.keys == keys


@pytest.mark.parametrize(
    ("changes", "keys", "named"),
    [
        ({"block": 255}, "auto", ["a block of 255", "blocks of 256 or more: 16384", 'scheme.type = "prss"']),
        ({"workers": 14, "threshold": 7}, "prss", ["1,716 keys each, more than 1,000", 'keys = "shamir"']),
        ({"workers": 91, "threshold": 3, "members": 8}, "prss", ["4,005 keys each"]),
        ({"workers": 45, "threshold": 3, "members": 100}, "prss", ["946 keys each, more than 655"]),
        ({"threshold": 8}, "prss", ["with all of 8 workers needed", 'keys = "shamir"']),
        (
            {"members": 32},
            "auto",
            ["sums reach 2,097,152", "system.range may be at most", "system.fraction_bits at most 10"],
        ),
        ({"threshold": 0}, "auto", ["the threshold must be at least 1"]),
    ],
    ids=str,
)
def test_what_cannot_be_built_is_said_with_what_to_do(
    changes: dict[str, Any], keys: KeySharingName, named: list[str]
) -> None:
    table, asked = RlweSettings(keys=keys), wanted(**changes)
    problem = table.problems(asked)[0]
    assert all(words in problem for words in named), problem
    with pytest.raises(ValueError, match=r"at least 1|sums|keys|block"):
        table.build(asked)


def test_the_smallest_block_can_be_built() -> None:
    assert RlweSettings().problems(wanted(block=256)) == []


def test_the_table_says_what_protects() -> None:
    table = RlweSettings()
    assert (table.security_bits, table.insecure, table.heavy, table.members_first) == (
        128,
        False,
        False,
        False,
    )
    few, many = table.describe(wanted()), table.describe(wanted(workers=32, threshold=16))
    assert "35 keys a worker" in few
    assert "opened by any 4 workers" in few
    assert "reach 524,288" in few
    assert "sealed to all 32 workers" in many
