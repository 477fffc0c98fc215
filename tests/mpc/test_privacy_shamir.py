"""What any t of n parties see of Shamir's shares is the same for all secrets, or as nearly so as is said.

Dealing, products, conjunctions and openings are enumerated over fields of 4 to 8 elements. These are linear
in what is tossed, but for the product that each party computes locally; so for more parties it is enough to
look at ranks. Comparisons and quotients are made of these, and of openings under masks that hide but
statistically. There the distance of views is computed exactly, with shares given by nobody in the place of
those that are dealt and reduced.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from mdl.mpc.engine import TRUNCATED_LIMIT, multiply
from mdl.mpc.keystream import Keystream
from mdl.mpc.residues import FIELD_127
from mdl.mpc.ring import Ring
from mdl.mpc.secret import Bits, Secret
from mdl.mpc.shamir.circle import Circle, Streams
from mdl.mpc.shamir.engine import Shamir
from mdl.mpc.shamir.masks import words_below
from tests.mpc.fair import is_fair
from tests.mpc.polynomials import (
    Key,
    Kind,
    Played,
    Setting,
    held_by,
    played,
    reconstructed,
    rows_of,
)
from tests.mpc.tapes import _numbered
from tests.mpc.tosses import Outcomes, Units
from tests.sampled import some_of

SAMPLES = 2
"""Of what viewers know."""


async def share(engine: Shamir, alone: int, values: Tensor | None, like: Secret) -> Secret:
    return await engine.share(alone, values, like.shape)


async def product(engine: Shamir, alone: int, one: Secret, two: Secret) -> Secret:
    return await engine.product(multiply, one, two, plus=one)


async def conjunction(engine: Shamir, alone: int, one: Bits, two: Bits) -> Bits:
    return await engine.conjunction(one, two)


async def tossed_over(engine: Shamir, alone: int, bit: Bits) -> Bits:
    """Let a coin decide whether a bit is turned over."""
    return bit ^ await engine.random_bits(bit.shape)


async def integers(engine: Shamir, alone: int, bit: Bits) -> Secret:
    return await engine.integers(bit)


async def selected(engine: Shamir, alone: int, bit: Bits, one: Secret) -> Secret:
    return await engine.select(bit, await engine.select(bit, one))


async def opened(engine: Shamir, alone: int, one: Secret, two: Secret) -> Tensor:
    return await engine.open(one * 3 + two)


async def opened_to_one(engine: Shamir, alone: int, one: Secret, two: Secret) -> Tensor | None:
    return await engine.open_to(alone, one * 3 + two)


async def halved(engine: Shamir, alone: int, one: Secret) -> Secret:
    return await engine.truncate(one, 1)


async def quartered(engine: Shamir, alone: int, one: Secret) -> Secret:
    return await engine.truncate(one, 2)


async def scaled(engine: Shamir, alone: int, one: Secret, two: Secret) -> Secret:
    return await engine.scaled_product(multiply, one, two, 1)


async def negative(engine: Shamir, alone: int, one: Secret) -> Bits:
    return await engine.negative(one)


async def digits(engine: Shamir, alone: int, one: Secret) -> Bits:
    return await engine.bits(one)


# ------------------------------------------------------------------------------------------------
# the same views


def ran(
    setting: Setting, viewers: Sequence[int], omitted: tuple[Key, int] | None = None, samples: int = SAMPLES
) -> Played:
    """Run all parties, with all outcomes."""
    count = Outcomes()
    played(setting, count, viewers)
    return played(setting, Outcomes(count.tossed, samples), viewers, omitted)


def views(
    setting: Setting, viewers: Sequence[int], omitted: tuple[Key, int] | None = None, samples: int = SAMPLES
) -> Tensor:
    """Number what viewers see: shape (secrets, outcomes)."""
    play = ran(setting, viewers, omitted, samples)
    return _numbered(rows_of(setting, play, viewers)).view(-1, play.secret).t()


def told(setting: Setting, viewers: Sequence[int], secrets: int) -> Tensor:
    """Give what viewers are told, by number of secret."""
    number = torch.arange(secrets)
    if setting.program is opened or (setting.program is opened_to_one and setting.alone in viewers):
        return (number % setting.prime * 3 + number // setting.prime) % setting.prime
    return torch.zeros(secrets, dtype=torch.int64)


def depends(setting: Setting, viewers: Sequence[int], found: Tensor) -> bool:
    """Tell if views differ between secrets of which viewers are told the same."""
    found = found.sort(1).values
    groups = [found[told(setting, viewers, len(found)) == value] for value in range(setting.prime)]
    return any(not torch.equal(group, group[:1].expand_as(group)) for group in groups)


TWO_INTEGERS: tuple[Kind, Kind] = ("integer", "integer")

PRODUCT = Setting(product, TWO_INTEGERS, entries=2)
CONJUNCTION = Setting(conjunction, ("bit", "bit"), entries=2)
COIN = Setting(tossed_over, ("bit",))
SHARE = Setting(share, ("known", "integer"), values=(-2, -1, 0, 1, 2))
OPENING = Setting(opened, TWO_INTEGERS)
OPENING_TO_ONE = Setting(opened_to_one, TWO_INTEGERS)

ENUMERATED: dict[str, Setting] = {
    **{f"share of party {owner}": replace(SHARE, alone=owner) for owner in range(3)},
    "share, five parties": replace(SHARE, holders=5, prime=7, values=(-3, 0, 2)),
    "product": PRODUCT,
    "product, four parties": replace(PRODUCT, holders=4, values=(0, 1)),
    "conjunction": CONJUNCTION,
    "coin": COIN,
    **{f"product, found by {king}": replace(PRODUCT, king=True, alone=king) for king in range(3)},
    **{f"conjunction, found by {king}": replace(CONJUNCTION, king=True, alone=king) for king in range(3)},
    "opening": OPENING,
    "opening, four parties": replace(OPENING, holders=4),
    "opening, five parties": replace(OPENING, holders=5, prime=7),
    "opening, found by one of five": replace(OPENING, holders=5, prime=7, king=True, alone=3),
    "opening to one": OPENING_TO_ONE,
    "opening to one of five": replace(OPENING_TO_ONE, holders=5, prime=7, alone=4),
}

VIEWERS = [
    (what, viewers)
    for what, setting in ENUMERATED.items()
    for viewers in combinations(range(setting.holders), setting.circle.threshold)
    if not (setting.program is share and setting.alone in viewers)
    # A party that is no worker knows nothing of what is dealt: too much to enumerate; see ranks below.
    and (what, viewers) != ("product, four parties", (3,))
]


@pytest.mark.parametrize(("what", "viewers"), VIEWERS)
def test_no_view_depends_on_what_viewers_must_not_know(what: str, viewers: tuple[int, ...]) -> None:
    setting = ENUMERATED[what]
    assert not depends(setting, viewers, views(setting, viewers))


def test_what_is_opened_depends_on_more_than_a_party_knows() -> None:
    """The test before would notice."""
    found = views(OPENING, (0,)).sort(1).values
    assert not torch.equal(found, found[:1].expand_as(found))


HIDING = {
    "product": ["product"],
    "conjunction": ["conjunction"],
    "product, found by one": [f"product, found by {king}" for king in range(3)],
    "conjunction, found by one": [f"conjunction, found by {king}" for king in range(3)],
    **{f"share of party {owner}": [f"share of party {owner}"] for owner in range(3)},
}
"""What to look at, in any of which a mask that is left out is noticed."""


def masks(whats: Sequence[str]) -> list[tuple[Key, int]]:
    tapes = played(ENUMERATED[whats[0]], Outcomes(), (0,)).tapes
    return [(key, place) for key, tape in tapes.items() for place in range(len(tape.words))]


@pytest.mark.parametrize(
    ("what", "omitted"),
    some_of(
        ((what, omitted) for what, names in HIDING.items() for omitted in masks(names)),
        lambda what, omitted: (what, omitted[0]),
    ),
)
def test_whichever_mask_is_left_out_somebody_would_know(what: str, omitted: tuple[Key, int]) -> None:
    lacking = [(name, viewers) for name, viewers in VIEWERS if name in HIDING[what]]
    assert any(
        depends(ENUMERATED[name], viewers, views(ENUMERATED[name], viewers, omitted, samples=1))
        for name, viewers in lacking
        if not held_by(omitted[0], viewers)
    )


CLEAR: dict[str, Callable[..., Tensor]] = {
    "share": lambda value, _: value,
    "product": lambda one, two: one * two + one,
    "conjunction": lambda one, two: one & two,
    "opening": lambda one, two: 3 * one + two,
}


@pytest.mark.parametrize("what", [what for what in ENUMERATED if "to one" not in what and what != "coin"])
def test_results_are_right_and_shared_with_degree_t(what: str) -> None:
    setting = ENUMERATED[what]
    play = ran(setting, range(setting.circle.threshold))
    expected: Tensor = next(clear for name, clear in CLEAR.items() if what.startswith(name))(*play.secrets)
    found = reconstructed(setting, play)
    assert torch.equal(found, expected if found.dtype == torch.uint8 else centred(expected, setting))


def centred(values: Tensor, setting: Setting) -> Tensor:
    half = setting.prime // 2
    return (values + half) % setting.prime - half


# ------------------------------------------------------------------------------------------------
# any number of parties: ranks


async def reduced(engine: Shamir, alone: int, own: Any) -> Any:
    sharing: Any = engine._binary if isinstance(own, Tensor) else engine._prime
    return await sharing.reduced(own)


def dependence(setting: Setting, viewers: Sequence[int], omitted: tuple[Key, int] | None = None) -> int:
    """Give in how many dimensions views tell of secrets, all else being tossed."""
    count = Units()
    played(setting, count, viewers)
    play = played(setting, Units(count.tossed), viewers, omitted)
    rows = np.stack([row.long().numpy() for row, _ in rows_of(setting, play, viewers)])
    modulus = 2 if "double bit" in setting.inputs else setting.prime
    return rank(rows, modulus) - rank(rows[:, play.secret :], modulus)


def rank(rows: NDArray[np.int64], modulus: int) -> int:
    """Give the rank over the integers modulo a prime."""
    rows, found = rows % modulus, 0
    for column in range(rows.shape[1]):
        (places,) = np.nonzero(rows[found:, column])
        if not len(places):
            continue
        place = found + places[0]
        rows[[found, place]] = rows[[place, found]]
        rows[found] = rows[found] * pow(int(rows[found, column]), -1, modulus) % modulus
        below = rows[found + 1 :]
        below[:] = (below - np.outer(below[:, column], rows[found])) % modulus
        found += 1
    return found


def linear(holders: int, *, king: bool) -> list[Setting]:
    """Give what is linear: to bring degrees down, of whatever was multiplied; to share; to open."""
    like = Setting(reduced, ("double",), holders, prime=13, entries=Circle(0, holders).threshold + 1)
    alone = holders // 2
    return [
        replace(like, king=king, alone=alone),
        replace(like, inputs=("double bit",), king=king, alone=alone),
        replace(like, program=share, inputs=("known", "integer"), alone=alone),
        replace(like, program=opened, inputs=TWO_INTEGERS, king=king, alone=alone),
    ]


def coalitions(setting: Setting) -> list[tuple[int, ...]]:
    """Give sets of t parties: all, or of many those that are next to each other, and some more."""
    parties, threshold = range(setting.holders), setting.circle.threshold
    found = list(combinations(parties, threshold))
    if len(found) > 10:
        around = [
            tuple(sorted((party + step) % setting.holders for step in range(threshold))) for party in parties
        ]
        found = [*around, *found[:: len(found) // 5]]
    return [each for each in found if setting.program is not share or setting.alone not in each]


@pytest.mark.parametrize("king", [False, True])
@pytest.mark.parametrize(
    ("holders", "step"),
    [*((holders, 1) for holders in range(3, 7)), (7, 4), (10, 9)]
    + [pytest.param(holders, 1, marks=pytest.mark.exhaustive) for holders in (7, 8, 9, 10)],
)
def test_so_it_is_for_any_number_of_parties(holders: int, step: int, king: bool) -> None:
    for setting in linear(holders, king=king):
        for viewers in coalitions(setting)[::step]:
            assert dependence(setting, viewers) == (setting.program is opened)


@pytest.mark.parametrize("holders", [3, 4, 5])
@pytest.mark.parametrize("place", range(2))
def test_ranks_notice_masks_that_are_left_out(holders: int, place: int) -> None:
    for setting in linear(holders, king=False)[:2]:
        tapes = played(setting, Units(), coalitions(setting)[0]).tapes
        for key in (key for key, tape in tapes.items() if place < len(tape.words)):
            assert any(
                dependence(setting, viewers, (key, place))
                for viewers in coalitions(setting)
                if not held_by(key, viewers)
            )


# ------------------------------------------------------------------------------------------------
# nearly the same views

BELOW = tuple(range(-16, 16))
"""Integers within the ring's limit."""

NEARLY = Setting(halved, ("integer",), prime=127, ring=Ring(6, 2), values=(-16, -15, 0, 7), ideal=True)
"""Summands of masks have 5 bits, of more than three dealers 4."""

ONE_OF_THREE: list[tuple[int, ...]] = [(0,), (1,), (2,)]

STATISTICAL: dict[str, tuple[Setting, list[tuple[int, ...]]]] = {
    "half of any": (replace(NEARLY, values=BELOW), ONE_OF_THREE[:2]),
    "sign of any": (replace(NEARLY, program=negative, values=BELOW), ONE_OF_THREE[:2]),
    "half": (NEARLY, ONE_OF_THREE),
    "quarter": (replace(NEARLY, program=quartered), ONE_OF_THREE),
    "nearest half": (replace(NEARLY, rounding="nearest"), ONE_OF_THREE),
    "sign": (replace(NEARLY, program=negative), ONE_OF_THREE),
    "digits": (replace(NEARLY, program=digits), ONE_OF_THREE),
    "digits, four parties": (replace(NEARLY, program=digits, holders=4), [(0,), (1,), (2,), (3,)]),
    "half, five parties": (replace(NEARLY, holders=5), [(0, 1), (1, 2), (0, 3)]),
    "sign, five parties": (
        replace(NEARLY, program=negative, holders=5),
        [(0, 1), (0, 2), (1, 2), (0, 3), (2, 4), (3, 4)],
    ),
    "sign, seven parties": (replace(NEARLY, program=negative, holders=7), [(0, 1, 2), (1, 2, 3)]),
}
"""And the parties that look on; dealers of masks are the first t + 1."""


def distances(found: Tensor) -> Tensor:
    """Give the statistical distance of the views of any two secrets: shape (secrets, secrets)."""
    _, number = torch.unique(found, return_inverse=True)
    counts = torch.stack([torch.bincount(row, minlength=int(number.max()) + 1) for row in number])
    apart = torch.stack([(counts - each).abs().sum(1) for each in counts])
    distance: Tensor = apart / (2 * found.shape[1])
    return distance


def claimed(setting: Setting) -> Tensor:
    """Give D / 2^B for any two secrets, one at most."""
    values = torch.tensor(setting.values)
    apart = (values.unsqueeze(0) - values.unsqueeze(1)).abs() / 2**setting.summand_bits
    bound: Tensor = apart.clamp(max=1)
    return bound


@pytest.mark.parametrize(
    ("what", "viewers"),
    [(what, viewers) for what, (_, groups) in STATISTICAL.items() for viewers in groups],
)
def test_views_of_what_is_hidden_statistically_are_as_far_apart_as_is_said(
    what: str, viewers: tuple[int, ...]
) -> None:
    """That far for all dealers of a mask but one, who know all of it but one summand; else less far."""
    setting, _ = STATISTICAL[what]
    found, bound = distances(views(setting, viewers)), claimed(setting)
    if len({*viewers} & {*setting.circle.dealers}) == setting.circle.threshold:
        assert torch.equal(found, bound)
    else:
        assert (found <= bound).all()
        assert (found[bound > 0] > 0).all()


def test_the_real_masks_are_of_as_many_bits_as_is_said() -> None:
    """So the distance is D 2^-125, and from seven parties on D 2^-124; and sums do not wrap."""
    stream, bits = Keystream(bytes(16)), {}
    for holders in range(3, 11):
        dealers = len(Circle(0, holders).dealers)
        bits[holders] = Shamir(0, holders, Streams(stream, {}, {}))._maker.summand_bits
        assert dealers * (1 << bits[holders]) + 2 * TRUNCATED_LIMIT < FIELD_127.modulus
    assert bits == {holders: 125 if holders < 7 else 124 for holders in bits}


@pytest.mark.parametrize("bits", [124, 125])
def test_the_real_masks_fill_as_many_bits_as_is_said(bits: int) -> None:
    low, high = words_below(Keystream(b"masks of so many"), 10_000, bits)
    assert all(is_fair(low >> place & 1) for place in range(64))
    assert all(is_fair(high >> place & 1) for place in range(bits - 64))
    assert not (high >> bits - 64).any()


UNDER_BITS: dict[str, Setting] = {
    "integer of a bit": Setting(integers, ("bit",), ideal=True),
    "integer of a bit, five parties": Setting(integers, ("bit",), holders=5, prime=7, ideal=True),
    "selection": Setting(selected, ("bit", "integer"), ideal=True),
}


@pytest.mark.parametrize(
    ("what", "viewers"),
    [
        (what, viewers)
        for what, setting in UNDER_BITS.items()
        for viewers in combinations(range(setting.holders), setting.circle.threshold)
    ],
)
def test_views_of_what_bits_hide_are_the_same(what: str, viewers: tuple[int, ...]) -> None:
    setting = UNDER_BITS[what]
    assert not depends(setting, viewers, views(setting, viewers))


@pytest.mark.parametrize(
    ("program", "viewer", "omitted"),
    [
        *(
            (program, 1 - dealer, ((dealer,), 0))
            for program in (halved, negative, digits)
            for dealer in (0, 1)
        ),
        *((halved, 1 - dealer, ((dealer,), 1)) for dealer in (0, 1)),
    ],
)
def test_a_summand_or_bit_that_is_left_out_is_noticed(
    program: Callable[..., Any], viewer: int, omitted: tuple[Key, int]
) -> None:
    setting = replace(NEARLY, program=program)
    found = distances(views(setting, (viewer,), omitted))
    assert (found > claimed(setting)).any()


@pytest.mark.parametrize("dealer", [0, 1])
def test_a_coin_that_is_left_out_is_noticed(dealer: int) -> None:
    setting = UNDER_BITS["integer of a bit"]
    assert depends(setting, (1 - dealer,), views(setting, (1 - dealer,), ((dealer,), 0)))


ROUNDED = {"half": 1, "half of any": 1, "quarter": 2, "half, five parties": 1}


@pytest.mark.parametrize("what", STATISTICAL)
def test_results_are_right_for_all_masks(what: str) -> None:
    setting, groups = STATISTICAL[what]
    play = ran(setting, groups[0])
    found, (secret,) = reconstructed(setting, play), play.secrets
    if what in ROUNDED:
        drop = ROUNDED[what]
        errors = (found << drop) - secret
        assert (errors.abs() < 1 << drop).all()
        assert all(errors[secret == value].sum() == 0 for value in setting.values)
    elif what == "nearest half":
        assert torch.equal(found, secret + 1 >> 1)
    elif what.startswith("digits"):
        assert torch.equal(found, secret.to(torch.int32) & 3)
    else:
        compared = (secret >= -2) & (secret < 2)
        assert torch.equal(found[compared], (secret < 0)[compared].to(torch.uint8))


@pytest.mark.parametrize("what", UNDER_BITS)
def test_bits_are_made_integers_and_select(what: str) -> None:
    setting = UNDER_BITS[what]
    play = ran(setting, range(setting.circle.threshold))
    bit, *rest = (each.to(torch.int64) for each in play.secrets)
    assert torch.equal(reconstructed(setting, play), bit * rest[0] if rest else bit)
