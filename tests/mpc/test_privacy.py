"""A party's view is the same, outcome for outcome, whatever the others' secrets are; and results are right.

In rings of 2 to 4 bits all randomness is enumerated. Where that is too much for all three parties at once,
all is enumerated that one party does not know, for samples of what it knows.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mdl.mpc import adders
from mdl.mpc.engine import Engine, multiply
from mdl.mpc.rep3.engine import Rep3
from mdl.mpc.ring import Ring
from mdl.mpc.secret import Bits, Secret
from tests.mpc.tapes import KEYS, Coins, Setting, played, reconstructed, seen, tossed

ENUMERATED = 15
"""Coins whose outcomes are all tried at once."""


async def share(engine: Engine, alone: int, secret: Secret) -> Secret:
    """Share what the owner knows of a secret; with the secret, each of the others would know it too."""
    values = secret.parts[0] + secret.parts[1] if engine.party == alone else None
    return await engine.share(alone, values, secret.shape)


async def product(engine: Engine, alone: int, one: Secret, two: Secret) -> Secret:
    return await engine.product(multiply, one, two, plus=one)


async def scaled(engine: Engine, alone: int, one: Secret, two: Secret) -> Secret:
    return await engine.scaled_product(multiply, one, two, 1)


async def square(engine: Engine, alone: int, one: Secret) -> Secret:
    return await engine.scaled_product(multiply, one, one, 1)


async def halved(engine: Engine, alone: int, one: Secret) -> Secret:
    return await engine.truncate(one, 1)


async def quartered(engine: Engine, alone: int, one: Secret) -> Secret:
    return await engine.truncate(one, 2)


async def negative(engine: Engine, alone: int, one: Secret) -> Bits:
    return await engine.negative(one)


async def digits(engine: Engine, alone: int, one: Secret) -> Bits:
    return await engine.bits(one)


async def summed(engine: Rep3, alone: int, word: Bits) -> Bits:
    """Carry on with an addition of 4 bits: all rounds that `digits` has after the first two."""
    planes = torch.stack(word.parts)
    return Bits(tuple(await adders.summed(planes, planes, engine._and, 4)), word.units)


async def conjunction(engine: Engine, alone: int, one: Bits, two: Bits) -> Bits:
    return await engine.conjunction(one, two)


async def selected(engine: Engine, alone: int, bit: Bits, one: Secret) -> Secret:
    return await engine.select(bit, one)


async def selected_twice(engine: Engine, alone: int, bit: Bits, one: Secret) -> Secret:
    return await engine.select(bit, await engine.select(bit, one))


async def integers(engine: Engine, alone: int, bit: Bits) -> Secret:
    return await engine.integers(bit)


async def tossed_over(engine: Engine, alone: int, bit: Bits) -> Bits:
    """Let a coin decide whether a bit is turned over."""
    return bit ^ await engine.random_bits(bit.shape)


async def opened(engine: Engine, alone: int, one: Secret, two: Secret) -> Tensor:
    return await engine.open(one * 3 + two)


async def opened_to_one(engine: Engine, alone: int, one: Secret, two: Secret) -> Tensor | None:
    return await engine.open_to(alone, one * 3 + two)


TWO, THREE, FOUR = Ring(2, 2), Ring(3, 2), Ring(4, 4)

SETTINGS = {
    "share": Setting(share, ("integer",), FOUR),
    "product": Setting(product, ("integer", "integer"), FOUR),
    "scaled product": Setting(scaled, ("integer", "integer"), THREE),
    "half": Setting(halved, ("integer",), THREE),
    "quarter": Setting(quartered, ("integer",), FOUR, drop=2),
    "nearest half": Setting(halved, ("integer",), TWO, rounding="nearest"),
    "sign of 2 bits": Setting(negative, ("integer",), TWO),
    "sign of 4 bits": Setting(negative, ("integer",), FOUR),
    "digits": Setting(digits, ("integer",), TWO),
    "sum of 4 bits": Setting(summed, ("word",), FOUR),
    "conjunction": Setting(conjunction, ("bit", "bit"), TWO),
    "conjunction of words": Setting(conjunction, ("word", "word"), FOUR),
    "selection": Setting(selected, ("bit", "integer"), THREE),
    "selection, twice": Setting(selected_twice, ("bit", "integer"), TWO),
    "integer of a bit": Setting(integers, ("bit",), FOUR),
    "coin": Setting(tossed_over, ("bit",), TWO),
    "opening": Setting(opened, ("integer", "integer"), THREE),
    "opening to one": Setting(opened_to_one, ("integer", "integer"), THREE),
}


def knowing(setting: Setting, omitted: tuple[bytes, int] | None = None) -> list[int]:
    """Give the parties whose view depends on what they must not know."""
    bits = tossed(setting)
    if bits <= ENUMERATED:
        play = played(setting, Coins(bits), omitted=omitted)
        return [party for party in range(3) if depends(setting, seen(setting, play, party), party)]
    found = []
    for party in range(3):
        bits = tossed(setting, party)
        coins = Coins(bits, 2 ** max(0, ENUMERATED - bits))
        play = played(setting, coins, viewer=party, omitted=omitted)
        if depends(setting, seen(setting, play, party), party):
            found.append(party)
    return found


def depends(setting: Setting, views: Tensor, party: int) -> bool:
    """Tell if a party's views differ between secrets of which it is told the same."""
    told = torch.zeros(len(views), dtype=torch.int64)
    if setting.program is opened or (setting.program is opened_to_one and party == setting.alone):
        bits, secrets = setting.ring.word_bits, torch.arange(len(views))
        told = (secrets * 3 + (secrets >> bits)) % (1 << bits)
    groups = [views[told == value] for value in range(int(told.max()) + 1)]
    return any(not torch.equal(group, group[:1].expand_as(group)) for group in groups)


@pytest.mark.parametrize("alone", range(3))
@pytest.mark.parametrize("name", SETTINGS)
def test_no_view_depends_on_what_a_party_must_not_know(name: str, alone: int) -> None:
    assert knowing(replace(SETTINGS[name], alone=alone)) == []


def test_what_is_opened_depends_on_more_than_a_party_knows() -> None:
    """The test before would notice."""
    setting = SETTINGS["opening"]
    views = seen(setting, played(setting, Coins(tossed(setting))), 0)
    assert not torch.equal(views, views[:1].expand_as(views))


def draws(name: str) -> list[tuple[str, bytes, int]]:
    play = played(SETTINGS[name], Coins(0))
    return [(name, key, place) for key in KEYS for place in range(len(play.tapes[key].words))]


MASKED = (
    *("share", "product", "half", "quarter", "sign of 4 bits", "digits"),
    *("conjunction", "conjunction of words", "selection", "selection, twice", "integer of a bit"),
)


@pytest.mark.parametrize(("name", "key", "place"), [draw for name in MASKED for draw in draws(name)])
def test_whichever_mask_is_left_out_somebody_would_know(name: str, key: bytes, place: int) -> None:
    assert knowing(SETTINGS[name], (key, place)) != []


# ------------------------------------------------------------------------------------------------
# results


def identity(value: Tensor) -> Tensor:
    return value


EXACT: dict[str, tuple[Setting, Callable[..., Tensor]]] = {
    "product": (replace(SETTINGS["product"], ring=TWO), lambda x, y: x * y + x),
    "product of 4 bits": (SETTINGS["product"], lambda x, y: x * y + x),
    "nearest half": (replace(SETTINGS["nearest half"], ring=THREE), lambda x: x + 1 >> 1),
    "nearest half of 4 bits": (replace(SETTINGS["nearest half"], ring=FOUR), lambda x: x + 1 >> 1),
    "nearest quarter": (replace(SETTINGS["quarter"], rounding="nearest"), lambda x: x + 2 >> 2),
    "sign of 2 bits": (SETTINGS["sign of 2 bits"], lambda x: x < 0),
    "sign of 4 bits": (SETTINGS["sign of 4 bits"], lambda x: x < 0),
    "digits": (SETTINGS["digits"], identity),
    "digits of 4 bits": (replace(SETTINGS["digits"], ring=FOUR), identity),
    "conjunction": (SETTINGS["conjunction"], lambda x, y: x & y),
    "conjunction of words": (SETTINGS["conjunction of words"], lambda x, y: x & y),
    "selection": (SETTINGS["selection"], lambda bit, x: bit * x),
    "selection, twice": (SETTINGS["selection, twice"], lambda bit, x: bit * x),
    "integer of a bit": (SETTINGS["integer of a bit"], identity),
    "opening": (SETTINGS["opening"], lambda x, y: 3 * x + y),
}


@pytest.mark.parametrize("alone", range(3))
@pytest.mark.parametrize("name", EXACT)
def test_results_are_right_for_all_inputs_and_all_randomness(name: str, alone: int) -> None:
    """For all inputs and sharings of them, and of all further coins as many as can be enumerated."""
    setting, expected = replace(EXACT[name][0], alone=alone), EXACT[name][1]
    play = played(setting, Coins(min(tossed(setting), ENUMERATED), 4))
    values = [
        setting.ring.signed(secret) if kind == "integer" else secret
        for kind, secret in zip(setting.inputs, play.secrets, strict=True)
    ]
    found, width = reconstructed(setting, play)
    wrong = found != expected(*values) & (1 << width) - 1
    if setting.rounding == "nearest":
        wrong &= values[0].abs() < setting.ring.truncated_limit
    assert not wrong.any()


ROUNDED: dict[str, tuple[Setting, Callable[[Tensor], Tensor]]] = {
    "half": (SETTINGS["half"], identity),
    "quarter": (SETTINGS["quarter"], identity),
    "half of a square": (Setting(square, ("integer",), THREE), torch.square),
}


@pytest.mark.parametrize("alone", range(3))
@pytest.mark.parametrize("name", ROUNDED)
def test_a_quotient_is_its_floor_or_ceiling_and_on_average_exact(name: str, alone: int) -> None:
    setting, value = replace(ROUNDED[name][0], alone=alone), ROUNDED[name][1]
    play = played(setting, Coins(16, 4))
    found = setting.ring.signed(reconstructed(setting, play)[0])
    for secret in range(1 << setting.secret_bits):
        exact = int(value(setting.ring.signed(torch.tensor(secret))))
        if abs(exact) < setting.ring.truncated_limit:
            errors = (found[play.secrets[0] == secret] << setting.drop) - exact
            assert int(errors.abs().max()) < 1 << setting.drop
            assert int(errors.sum()) == 0
