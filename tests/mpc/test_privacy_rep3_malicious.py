"""With products that are verified, too, a party's view is the same whatever the others' secrets are.

Numbers are modulo 2^2 to 2^4, and modulo twice that in products and their verification. Hashes are left out:
each is of what its receiver has, or can compute.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from mdl.mpc.engine import Engine, Rounding, multiply
from mdl.mpc.rep3_malicious.engine import Rep3Malicious, dealt
from mdl.mpc.rep3_malicious.products import SOUNDNESS_BITS
from mdl.mpc.ring import Ring
from mdl.mpc.secret import Bits, Secret
from tests.mpc.models import HASH, Draws, Model
from tests.mpc.narrow import NUMBER, Narrow, listed
from tests.mpc.tapes import Coins, Played, Setting, played, reconstructed, seen, tossed
from tests.mpc.test_privacy import (
    all_right,
    conjunction,
    depends,
    digits,
    halved,
    integers,
    negative,
    opened,
    opened_to_one,
    product,
    quartered,
    selected,
    selected_twice,
    share,
    tossed_over,
)
from tests.sampled import some_of

ENTRIES = 14
"""Of what a party knows samples are taken as long as there are at most 2^14 entries; and two at least."""

SPARE = 1
"""s: verified is modulo 2^(k + s)."""


@dataclass(frozen=True)
class Verified(Setting):
    """As `Setting`.

    Attributes:
        byte: how many bits of words of type uint8 have a meaning.
    """

    byte: int = 1

    @property
    def widths(self) -> Mapping[torch.dtype, int]:
        return {
            torch.int64: self.ring.word_bits,
            NUMBER: self.ring.word_bits + SPARE,
            torch.int32: self.ring.compared_bits,
            torch.int16: self.ring.compared_bits // 2,
            torch.uint8: self.byte,
        }


def narrow(ring: Ring) -> Narrow:
    return Narrow(1 << ring.word_bits + SPARE, 1 << ring.word_bits)


@contextmanager
def _three(draws: Draws, alone: int, rounding: Rounding, ring: Ring) -> Iterator[Mapping[int, Engine]]:
    del alone
    with pytest.MonkeyPatch.context() as patch:
        for module in ("member", "engine"):
            patch.setattr(f"mdl.mpc.rep3_malicious.{module}.Keystream", draws)
            patch.setattr(f"mdl.mpc.rep3_malicious.{module}.hash_of", lambda _: HASH)
        for module in ("products", "sharing"):
            patch.setattr(f"mdl.mpc.rep3_malicious.{module}.RING_104", narrow(ring))
        yield dict(enumerate(dealt([b"0", b"1", b"2"], b"common", rounding, units=1, ring=ring)))


MODEL = Model(
    ((0, 1), (1, 2), (2, 0)), {b"0": (0, 2), b"1": (1, 0), b"2": (2, 1), b"common": (0, 1, 2)}, _three
)

# ------------------------------------------------------------------------------------------------
# what is computed


async def carried_low(engine: Rep3Malicious, alone: int, one: Secret) -> Sequence[Tensor]:
    """Give the carries out of the lowest digit, of which a quotient is made."""
    return await engine._additions._low(torch.stack(one.parts), 1)


async def carried_top(engine: Rep3Malicious, alone: int, one: Secret) -> Sequence[Tensor]:
    """Give the overflows of the topmost digits, likewise."""
    return await engine._additions._top(torch.stack(one.parts))


TWO, THREE, FOUR = Ring(2, 2), Ring(3, 4), Ring(4, 4)

COMPUTED = {
    "share": Verified(share, ("integer",), FOUR),
    "product": Verified(product, ("integer", "integer"), FOUR),
    "carries of a quotient": Verified(carried_low, ("integer",), THREE),
    "overflows of a quotient": Verified(carried_top, ("integer",), FOUR, byte=3),
    "sign of 2 bits": Verified(negative, ("integer",), TWO),
    "sign of 4 bits": Verified(negative, ("integer",), FOUR, byte=2),
    "digits": Verified(digits, ("integer",), TWO),
    "conjunction": Verified(conjunction, ("bit", "bit"), TWO),
    "conjunction of words": Verified(conjunction, ("word", "word"), FOUR),
    "selection": Verified(selected, ("bit", "integer"), TWO),
    "selection, twice": Verified(selected_twice, ("bit", "integer"), TWO),
    "integer of a bit": Verified(integers, ("bit",), FOUR),
    "coin": Verified(tossed_over, ("bit",), TWO),
    "opening": Verified(opened, ("integer", "integer"), THREE),
    "opening to one": Verified(opened_to_one, ("integer", "integer"), THREE),
}


# ------------------------------------------------------------------------------------------------
# what is verified


@dataclass(frozen=True)
class Coin:
    """In the place of the keystream that parties toss for a verification.

    Attributes:
        words: that come of it.
    """

    words: Sequence[int]

    def draw(self, shape: torch.Size) -> Tensor:
        assert shape.numel() == len(self.words)
        return torch.tensor(self.words)


def tossing(engine: Rep3Malicious, *words: int) -> None:
    """Let what parties toss next be known: it is public, and each outcome is looked at by itself."""

    async def coins() -> Coin:
        return Coin(words)

    engine._member.coins = coins  # type: ignore[method-assign, assignment]


def verified_product(factor: int) -> Callable[..., Any]:
    """Multiply, and verify it with a factor r."""

    async def program(engine: Rep3Malicious, alone: int, one: Secret, two: Secret) -> Secret:
        found = await engine.product(multiply, one, two)
        tossing(engine, factor << 64 - SOUNDNESS_BITS)
        await engine._products.verified()
        return found

    return program


def verified_integer(factor: int) -> Callable[..., Any]:
    """Make a bit an integer, by two products of what some parties know, and verify them."""

    async def program(engine: Rep3Malicious, alone: int, bit: Bits) -> Secret:
        found = await engine.integers(bit)
        tossing(engine, factor << 64 - SOUNDNESS_BITS)
        await engine._products.verified()
        return found

    return program


def verified_conjunction(*places: int) -> Callable[..., Any]:
    """Compute a conjunction, and verify it by two arrays that are rotated by so many units of two."""

    async def program(engine: Rep3Malicious, alone: int, one: Bits, two: Bits) -> Bits:
        found = await engine.conjunction(one, two)
        tossing(engine, *places)
        await engine._conjunctions.verified()
        return found

    return program


FACTORS = (-2, -1, 1)
"""But for 0, of which what is opened tells nothing, masked or not."""

VERIFIED = {
    **{
        f"product, by {factor}": Verified(verified_product(factor), ("integer", "integer"), TWO)
        for factor in FACTORS
    },
    **{
        f"integer of a bit, by {factor}": Verified(verified_integer(factor), ("bit",), TWO)
        for factor in FACTORS
    },
    **{
        f"conjunction, moved by {one}, {two}": Verified(verified_conjunction(one, two), ("bit", "bit"), TWO)
        for one in range(2)
        for two in range(2)
    },
}
SETTINGS = {**COMPUTED, **VERIFIED}


# ------------------------------------------------------------------------------------------------
# views


def run(
    setting: Setting, coins: Coins, viewer: int | None, omitted: tuple[bytes, int] | None = None
) -> Played:
    """Run all parties; everything is listed by outcomes, numbers modulo 2^(k + s) as such."""
    play = played(MODEL, setting, coins, viewer=viewer, omitted=omitted)
    for tape in play.tapes.values():
        tape.words = [word.reshape(-1, coins.size) for word in tape.words]
    messages = [
        (receiver, listed(tensor, narrow(setting.ring)).reshape(-1, coins.size))
        for receiver, tensor in play.messages
    ]
    return replace(play, messages=messages)


def knows(setting: Setting, party: int, omitted: tuple[bytes, int] | None = None) -> bool:
    """Tell if a party's view depends on what it must not know."""
    bits = tossed(MODEL, setting, party)
    play = run(setting, Coins(bits, max(2, 1 << max(0, ENTRIES - bits))), party, omitted)
    return depends(MODEL, setting, seen(MODEL, setting, play, party), party)


@pytest.mark.parametrize("what", SETTINGS)
@pytest.mark.parametrize("party", MODEL.parties)
def test_no_view_depends_on_what_a_party_must_not_know(what: str, party: int) -> None:
    owners = MODEL.parties if SETTINGS[what].program in (share, opened_to_one) else [0]
    assert not any(knows(replace(SETTINGS[what], alone=alone), party) for alone in owners)


def masks(what: str) -> list[tuple[bytes, int]]:
    """Give all draws by which something is hidden."""
    tapes = played(MODEL, SETTINGS[what], Coins(0)).tapes
    return [
        (key, place)
        for key, tape in tapes.items()
        for place in range(len(tape.words))
        # Of two bits there are no digits below the topmost that would carry, but one.
        if (what, place) != ("sign of 2 bits", 2)
    ]


@pytest.mark.parametrize(
    ("what", "omitted"),
    some_of(
        ((what, omitted) for what in SETTINGS if what != "coin" for omitted in masks(what)),
        lambda what, omitted: (what, omitted[0]),
    ),
)
def test_whichever_mask_is_left_out_who_lacks_its_key_would_know(
    what: str, omitted: tuple[bytes, int]
) -> None:
    (lacking,) = (party for party in MODEL.parties if party not in MODEL.keys[omitted[0]])
    assert knows(SETTINGS[what], lacking, omitted)


def test_what_is_opened_depends_on_more_than_a_party_knows() -> None:
    """The test of views would notice."""
    setting = COMPUTED["opening"]
    play = run(setting, Coins(tossed(MODEL, setting, 0)), 0)
    found = seen(MODEL, setting, play, 0)
    assert not torch.equal(found, found[:1].expand_as(found))


# ------------------------------------------------------------------------------------------------
# results

ROUNDED = {
    "half": Verified(halved, ("integer",), Ring(4, 4)),
    "quarter": Verified(quartered, ("integer",), Ring(4, 4), drop=2),
    "nearest half": Verified(halved, ("integer",), Ring(4, 4), rounding="nearest"),
    "nearest quarter": Verified(quartered, ("integer",), Ring(5, 4), drop=2, rounding="nearest"),
}

CLEAR: dict[str, Callable[..., Tensor]] = {
    "product": lambda one, two: one * two + one,
    "sign of 2 bits": lambda value: value < 0,
    "sign of 4 bits": lambda value: value < 0,
    "digits": lambda value: value,
    "conjunction": lambda one, two: one & two,
    "conjunction of words": lambda one, two: one & two,
    "selection": lambda bit, value: bit * value,
    "selection, twice": lambda bit, value: bit * value,
    "integer of a bit": lambda bit: bit,
    "opening": lambda one, two: 3 * one + two,
    **{f"product, by {factor}": lambda one, two: one * two for factor in FACTORS},
    **{f"integer of a bit, by {factor}": lambda bit: bit for factor in FACTORS},
    "nearest half": lambda value: value + 1 >> 1,
    "nearest quarter": lambda value: value + 2 >> 2,
}


def computed(setting: Setting) -> tuple[list[Tensor], Tensor, int]:
    """Give secrets, what comes out, without a sign, and of how many bits it is."""
    play = played(MODEL, setting, Coins(min(tossed(MODEL, setting), 15), 4))
    secrets = [
        setting.ring.signed(secret) if kind == "integer" else secret
        for kind, secret in zip(setting.inputs, play.secrets, strict=True)
    ]
    return secrets, *reconstructed(MODEL, setting, play)


@pytest.mark.parametrize("what", CLEAR)
def test_results_are_right(what: str) -> None:
    setting = {**SETTINGS, **ROUNDED}[what]
    secrets, found, width = computed(setting)
    expected = CLEAR[what](*secrets) & (1 << width) - 1
    assert all_right(setting.ring, setting.rounding, secrets, found, expected)


@pytest.mark.parametrize("what", ["half", "quarter"])
def test_a_quotient_is_its_floor_or_ceiling(what: str) -> None:
    setting = ROUNDED[what]
    (secret,), found, _ = computed(setting)
    errors = (setting.ring.signed(found) << setting.drop) - secret
    for value in range(1 - setting.ring.truncated_limit, setting.ring.truncated_limit):
        assert int(errors[secret == value].abs().max()) < 1 << setting.drop
