"""What holders see, whose shares have MACs, is the same whatever the others' secrets and keys are.

That is of all holders but one: of fewer it follows. Integers are modulo 2^2, and modulo 2^3 with what they
are verified by; the keys of the others are among the secrets.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import pytest
import torch
from torch import Tensor

from mdl.mpc.engine import Engine, multiply
from mdl.mpc.ring import Ring
from mdl.mpc.secret import Bits, Secret
from tests.mpc.macs import Authenticated, Played, Setting, played, reconstructed, rows_of
from tests.mpc.tapes import _numbered
from tests.mpc.test_privacy import (
    all_right,
    borrowed,
    conjunction,
    digits,
    halved,
    integers,
    negative,
    opened,
    opened_to_one,
    product,
    selected,
    selected_twice,
    tossed_over,
)
from tests.mpc.tosses import Outcomes
from tests.sampled import some_of

ENTRIES = 16
"""Of what holders know samples are taken as long as there are at most 2^16 entries; and two at least."""

LARGE = 1 << 18
"""But one, of so many outcomes."""


async def share(engine: Engine, alone: int, values: Tensor | None, like: Bits) -> Secret:
    return await engine.share(alone, values, like.shape)


async def square(engine: Engine, alone: int, one: Secret) -> Secret:
    return await engine.scaled_product(multiply, one, one, 1)


async def looked_up(engine: Authenticated, alone: int, one: Secret) -> tuple[Bits, Bits]:
    return await engine.looked_up(one, engine.ring.compared_bits, signed=True)


async def generated(engine: Authenticated, alone: int, one: Secret) -> tuple[Bits, Bits]:
    return await engine.generated(one)


@dataclass(frozen=True)
class Checked:
    """A program, and the verification of all that it opens."""

    program: Callable[..., Any]

    async def __call__(self, engine: Engine, alone: int, *given: Any) -> Any:
        found = await self.program(engine, alone, *given)
        await engine.check()
        return found


TWO, FOUR = Ring(2, 2, 1), Ring(4, 4, 2)

OPENINGS = (opened, opened_to_one)

DEALT = {
    "share": Setting(share, ("known", "bit"), TWO),
    "product": Setting(Checked(product), ("integer", "integer"), TWO),
    "digits to compare": Setting(Checked(looked_up), ("integer",), TWO, by_digits=True),
    "bits to compare": Setting(Checked(generated), ("integer",), TWO),
    "conjunction": Setting(Checked(conjunction), ("bit", "bit"), TWO, macs=2),
    "conjunction of words": Setting(Checked(conjunction), ("word", "word"), TWO),
    "integer of a bit": Setting(Checked(integers), ("bit",), TWO),
    "coin": Setting(Checked(tossed_over), ("bit",), TWO),
    "opening": Setting(opened, ("integer", "integer"), TWO),
    "opening to one": Setting(opened_to_one, ("integer", "integer"), TWO),
}

COMPOSED = {
    "half": Setting(Checked(halved), ("integer",), TWO),
    "nearest half": Setting(Checked(halved), ("integer",), TWO, rounding="nearest", by_digits=True),
    "half of a square": Setting(Checked(square), ("integer",), TWO),
    "borrow": Setting(Checked(borrowed), ("integer",), TWO, by_digits=True),
    "sign of 2 bits": Setting(Checked(negative), ("integer",), TWO, by_digits=True),
    "sign of 4 bits": Setting(Checked(negative), ("integer",), FOUR, by_digits=True),
    "digits": Setting(Checked(digits), ("integer",), TWO),
    "selection": Setting(Checked(selected), ("bit", "integer"), TWO),
    "selection, twice": Setting(Checked(selected_twice), ("bit", "integer"), TWO),
}
"""The last holder, who is sent what it lacks of all that is dealt, is given that by nobody."""


SETTINGS = {**DEALT, **COMPOSED}


# ------------------------------------------------------------------------------------------------
# views


def ran(setting: Setting, viewers: Sequence[int], omitted: tuple[bytes, int] | None = None) -> Played:
    """Run all parties, with all outcomes of what viewers do not know."""
    count = Outcomes()
    played(setting, count, viewers)
    samples = max(2, (1 << ENTRIES) // count.tossed) if count.tossed < LARGE else 1
    return played(setting, Outcomes(count.tossed, samples), viewers, omitted)


def depends(setting: Setting, viewers: Sequence[int], play: Played) -> bool:
    """Tell if views differ between secrets, and keys, of which viewers are told the same."""
    found = _numbered(rows_of(setting, play, viewers)).view(-1, play.secret).t().sort(1).values
    told = torch.zeros(len(found), dtype=torch.int64)
    if setting.program is opened or (setting.program is opened_to_one and setting.alone in viewers):
        one, two = (secret[: len(found)] for secret in play.secrets)
        told = (3 * one + two) % (1 << setting.ring.word_bits)
    groups = [found[told == value] for value in range(int(told.max()) + 1)]
    return any(not torch.equal(group, group[:1].expand_as(group)) for group in groups)


def knows(
    what: str, viewers: Sequence[int], omitted: tuple[bytes, int] | None = None, *, alone: int = 0
) -> bool:
    """Tell if all holders but one know by their views what they must not know."""
    setting = replace(SETTINGS[what], holders=len(viewers) + 1, alone=alone)
    setting = replace(setting, ideal=what in COMPOSED and len(viewers) in viewers)
    return depends(setting, viewers, ran(setting, viewers, omitted))


MANY = {
    (what, viewers)
    for what in ("product", "digits to compare", "opening to one")
    for viewers in ((0, 2), (1, 2))
}
"""Of all that is dealt to the last one of three holders, what has most outcomes."""


def cases() -> list[Any]:
    """List what is computed, and all holders but one."""
    found = [
        (what, viewers)
        for what in SETTINGS
        for holders in (2, 3)
        for viewers in combinations(range(holders), holders - 1)
    ]
    return [pytest.param(*each, marks=[pytest.mark.exhaustive] if each in MANY else []) for each in found]


@pytest.mark.parametrize(("what", "viewers"), cases())
def test_no_view_depends_on_what_holders_must_not_know(what: str, viewers: tuple[int, ...]) -> None:
    for alone in range(len(viewers) + 1) if SETTINGS[what].program in (share, opened_to_one) else [0]:
        if not (SETTINGS[what].program is share and alone in viewers):
            assert not knows(what, viewers, alone=alone)


def test_what_is_opened_depends_on_more_than_a_holder_knows() -> None:
    """The test before would notice."""
    setting = SETTINGS["opening"]
    assert depends(replace(setting, program=Checked(opened)), (0,), ran(setting, (0,)))


def test_nobody_tells_the_dealer_anything() -> None:
    for setting in SETTINGS.values():
        play = played(setting, Outcomes(), (0,))
        assert setting.holders not in {receiver for receiver, _ in play.messages}


WITHOUT_NEED = {
    # There is but a single bit that is compared, and no digits below it.
    *(("borrow", key, 3) for key in (b"0", b"1")),
    *(("nearest half", key, 4) for key in (b"0", b"1")),
}


def masks(what: str) -> list[tuple[bytes, int]]:
    """Give all draws by which something is hidden: of holders' keys, but for those of MACs; the dealer's."""
    setting = SETTINGS[what]
    tapes = played(replace(setting, ideal=what in COMPOSED), Outcomes(), (0,)).tapes
    return [
        (key, place)
        for key, begin in ((b"0", 2), (b"1", 2), (b"own", 0))
        for place in range(begin, len(tapes[key].words))
        if (what, key, place) not in WITHOUT_NEED
    ]


@pytest.mark.parametrize(
    ("what", "omitted"),
    some_of(
        ((what, omitted) for what in SETTINGS if what != "coin" for omitted in masks(what)),
        lambda what, omitted: (what, omitted[0]),
    ),
)
def test_whichever_mask_is_left_out_a_holder_would_know(what: str, omitted: tuple[bytes, int]) -> None:
    assert any(knows(what, (viewer,), omitted) for viewer in range(2) if omitted[0] != b"%d" % viewer)


# ------------------------------------------------------------------------------------------------
# results

THREE = Ring(3, 2, 1)

ROUNDED = {
    "half": Setting(Checked(halved), ("integer",), FOUR),
    "half of a square": Setting(Checked(square), ("integer",), FOUR),
    "nearest half": Setting(Checked(halved), ("integer",), THREE, rounding="nearest", by_digits=True),
}

CLEAR: dict[str, Callable[..., Tensor]] = {
    "product": lambda one, two: one * two + one,
    "conjunction": lambda one, two: one & two,
    "conjunction of words": lambda one, two: one & two,
    "integer of a bit": lambda bit: bit,
    "opening": lambda one, two: 3 * one + two,
    "opening to one": lambda one, two: 3 * one + two,
    "sign of 2 bits": lambda value: value < 0,
    "sign of 4 bits": lambda value: value < 0,
    "digits": lambda value: value,
    "selection": lambda bit, value: bit * value,
    "selection, twice": lambda bit, value: bit * value,
    "nearest half": lambda value: value + 1 >> 1,
}


def computed(setting: Setting) -> tuple[list[Tensor], Tensor, int]:
    """Give secrets, what comes out, without a sign, and of how many bits it is."""
    play = ran(setting, range(setting.holders - 1))
    secrets = [
        setting.ring.signed(secret) if kind == "integer" else secret
        for kind, secret in zip(setting.inputs, play.secrets, strict=True)
    ]
    return secrets, *reconstructed(setting, play)


@pytest.mark.parametrize(
    ("what", "holders"),
    [*((what, 2) for what in CLEAR), ("product", 3), ("sign of 4 bits", 3), ("opening", 3)],
)
def test_results_are_right_for_all_keys(what: str, holders: int) -> None:
    setting = replace({**SETTINGS, **ROUNDED}[what], holders=holders)
    secrets, found, width = computed(setting)
    expected = CLEAR[what](*secrets) & (1 << width) - 1
    assert all_right(setting.ring, setting.rounding, secrets, found, expected)


@pytest.mark.parametrize("what", ["half", "half of a square"])
def test_a_quotient_is_its_floor_or_ceiling(what: str) -> None:
    setting = ROUNDED[what]
    (secret,), found, _ = computed(setting)
    value = secret if what == "half" else secret**2
    within = value.abs() < setting.ring.truncated_limit
    errors = (setting.ring.signed(found) << 1) - value
    assert within.any()
    assert (errors[within].abs() < 2).all()
