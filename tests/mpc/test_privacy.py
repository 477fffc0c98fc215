"""A party's view is the same, outcome for outcome, whatever the others' secrets are; and results are right.

In rings of 2 to 4 bits all randomness is enumerated. Where that is too much for all parties at once, all is
enumerated that one party does not know, for samples of what it knows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mdl.mpc import adders
from mdl.mpc.dealer import Dealer, Holder
from mdl.mpc.engine import Engine, Rounding, multiply
from mdl.mpc.rep3.engine import Rep3
from mdl.mpc.rep4.engine import Rep4
from mdl.mpc.ring import Ring
from mdl.mpc.rounds import Words
from mdl.mpc.secret import Bits, Secret
from tests.mpc.models import MODELS, Model
from tests.mpc.tapes import Coins, Setting, played, reconstructed, seen, tossed
from tests.sampled import some_of

ENUMERATED = 15
"""Coins whose outcomes are all tried at once."""

SAMPLES = 2
"""Of what a party knows, at least."""

ENTRIES = 17
"""More samples are taken as long as there are at most 2^17 entries in all."""


async def share(engine: Engine, alone: int, secret: Secret) -> Secret:
    """Share what the owner knows of a secret, and no other; with the secret, all would know it."""
    values = sum(secret.parts[1:], secret.parts[0]) if engine.party == alone else None
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


async def borrowed(engine: Holder | Dealer, alone: int, one: Secret) -> Secret:
    return await engine.borrow(one, 1)


async def summed(engine: Rep3 | Rep4, alone: int, word: Bits) -> Bits:
    """Carry on with an addition of 4 bits: all rounds that `digits` has after the first two."""
    planes = torch.stack(word.parts)
    if isinstance(engine, Rep4):
        return Bits(tuple(await adders.summed(planes, planes, engine._and, 4)), word.units)
    array: Words = planes.numpy()
    found = torch.from_numpy(await adders.summed(array, array, engine._and, 4))
    return Bits(tuple(found), word.units)


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

BASIC = {
    "share": Setting(share, ("integer",), FOUR),
    "product": Setting(product, ("integer", "integer"), FOUR),
    "scaled product": Setting(scaled, ("integer", "integer"), THREE),
    "half": Setting(halved, ("integer",), THREE),
    "quarter": Setting(quartered, ("integer",), FOUR, drop=2),
    "nearest half": Setting(halved, ("integer",), TWO, rounding="nearest"),
    "sign of 2 bits": Setting(negative, ("integer",), TWO),
    "sign of 4 bits": Setting(negative, ("integer",), FOUR),
    "digits": Setting(digits, ("integer",), TWO),
    "conjunction": Setting(conjunction, ("bit", "bit"), TWO),
    "conjunction of words": Setting(conjunction, ("word", "word"), FOUR),
    "selection": Setting(selected, ("bit", "integer"), THREE),
    "selection, twice": Setting(selected_twice, ("bit", "integer"), TWO),
    "integer of a bit": Setting(integers, ("bit",), FOUR),
    "coin": Setting(tossed_over, ("bit",), TWO),
    "opening": Setting(opened, ("integer", "integer"), THREE),
    "opening to one": Setting(opened_to_one, ("integer", "integer"), THREE),
}

BY_TABLES = {
    "nearest half": Setting(halved, ("integer",), Ring(2, 2, 1), rounding="nearest", by_digits=True),
    "borrow": Setting(borrowed, ("integer",), Ring(2, 2, 1), by_digits=True),
    "sign of 2 bits": Setting(negative, ("integer",), Ring(2, 2, 1), by_digits=True),
    "sign of 4 bits": Setting(negative, ("integer",), Ring(4, 4, 2), by_digits=True),
}

SETTINGS: Mapping[str, Mapping[str, Setting]] = {
    "rep3": {
        **{what: replace(setting, spare=1) for what, setting in BASIC.items()},
        "sum of 4 bits": Setting(summed, ("word",), FOUR),
    },
    "rep4": BASIC,
    "dealer": {**BASIC, **BY_TABLES},
}

TOO_MUCH = {("dealer", "nearest half")}
"""A quotient and a borrow, side by side: of these each is looked at alone."""

VIEWS = [
    (name, what) for name, settings in SETTINGS.items() for what in settings if (name, what) not in TOO_MUCH
]


def knowing(
    model: Model, setting: Setting, parties: Sequence[int], omitted: tuple[bytes, int] | None = None
) -> list[int]:
    """Give those parties whose view depends on what they must not know."""
    bits = tossed(model, setting)
    if bits <= ENUMERATED:
        play = played(model, setting, Coins(bits), omitted=omitted)
        views = {party: seen(model, setting, play, party) for party in parties}
        return [party for party in parties if depends(model, setting, views[party], party)]
    found = []
    for party in parties:
        bits = tossed(model, setting, party)
        coins = Coins(bits, max(SAMPLES, 1 << max(0, ENTRIES - bits)))
        play = played(model, setting, coins, viewer=party, omitted=omitted)
        if depends(model, setting, seen(model, setting, play, party), party):
            found.append(party)
    return found


def depends(model: Model, setting: Setting, views: Tensor, party: int) -> bool:
    """Tell if a party's views differ between secrets of which it is told the same."""
    told = torch.zeros(len(views), dtype=torch.int64)
    receivers = {opened: range(model.holders), opened_to_one: [setting.alone]}.get(setting.program, [])
    if party in receivers:
        bits, secrets = setting.width("integer"), torch.arange(len(views))
        told = (secrets * 3 + (secrets >> bits)) % (1 << setting.ring.word_bits)
    groups = [views[told == value] for value in range(int(told.max()) + 1)]
    return any(not torch.equal(group, group[:1].expand_as(group)) for group in groups)


@pytest.mark.parametrize(
    ("name", "what", "alone"),
    some_of(
        ((name, what, alone) for name, what in VIEWS for alone in range(MODELS[name].holders)),
        lambda name, what, _: (name, what),
    ),
)
def test_no_view_depends_on_what_a_party_must_not_know(name: str, what: str, alone: int) -> None:
    model = MODELS[name]
    assert knowing(model, replace(SETTINGS[name][what], alone=alone), model.parties) == []


@pytest.mark.parametrize("name", MODELS)
def test_what_is_opened_depends_on_more_than_a_party_knows(name: str) -> None:
    """The test before would notice."""
    model, setting = MODELS[name], SETTINGS[name]["opening"]
    play = played(model, setting, Coins(tossed(model, setting, 0)), viewer=0)
    views = seen(model, setting, play, 0)
    assert not torch.equal(views, views[:1].expand_as(views))


def test_nobody_tells_a_dealer_anything() -> None:
    model = MODELS["dealer"]
    for setting in SETTINGS["dealer"].values():
        receivers = {receiver for receiver, _ in played(model, setting, Coins(0)).messages}
        assert not receivers & set(model.summing)


WITHOUT_NEED = {
    "coin",  # what is drawn are the coins
    "sign of 2 bits",  # there are no digits below that would carry
    "borrow",  # of a single bit, likewise
}

NO_MASKS = {
    *((name, b"common") for name in MODELS),  # for rounding
    ("dealer", b"holders"),  # for coins
    ("dealer", b"pair"),  # what one of two opens, the other computes from the result
}


def masks(name: str, what: str) -> list[tuple[str, str, bytes, int]]:
    """Give all draws by which something is hidden."""
    tapes = played(MODELS[name], SETTINGS[name][what], Coins(0)).tapes
    return [
        (name, what, key, place)
        for key, tape in tapes.items()
        for place in range(len(tape.words))
        # In a product that is rounded, what two parties swap need not be masked by their own key.
        if (name, key) not in NO_MASKS and (name, what, key, place) != ("rep3", "scaled product", b"2", 0)
    ]


@pytest.mark.parametrize(
    ("name", "what", "key", "place"),
    some_of(
        (mask for name, what in VIEWS if what not in WITHOUT_NEED for mask in masks(name, what)),
        lambda name, what, key, _: (name, what, key),
    ),
)
def test_whichever_mask_is_left_out_who_lacks_its_key_would_know(
    name: str, what: str, key: bytes, place: int
) -> None:
    model = MODELS[name]
    lacking = [party for party in model.parties if party not in model.keys[key]]
    assert knowing(model, SETTINGS[name][what], lacking, (key, place)) != []


# ------------------------------------------------------------------------------------------------
# results


def identity(value: Tensor) -> Tensor:
    return value


def exact(settings: Mapping[str, Setting]) -> dict[str, tuple[Setting, Callable[..., Tensor]]]:
    """Give what is exact, and what it is in the clear; with a wider ring too."""
    wider = (THREE, FOUR) if not settings["sign of 4 bits"].by_digits else (Ring(3, 2, 1), Ring(4, 4, 1))
    half = settings["nearest half"]
    return {
        "product": (replace(settings["product"], ring=TWO), lambda x, y: x * y + x),
        "product of 4 bits": (settings["product"], lambda x, y: x * y + x),
        "nearest half": (replace(half, ring=wider[0]), lambda x: x + 1 >> 1),
        "nearest half of 4 bits": (replace(half, ring=wider[1]), lambda x: x + 1 >> 1),
        "nearest quarter": (replace(half, program=quartered, ring=wider[1], drop=2), lambda x: x + 2 >> 2),
        "sign of 2 bits": (settings["sign of 2 bits"], lambda x: x < 0),
        "sign of 4 bits": (settings["sign of 4 bits"], lambda x: x < 0),
        "sign of 4 digits": (replace(settings["sign of 4 bits"], ring=wider[1]), lambda x: x < 0),
        "digits": (settings["digits"], identity),
        "digits of 4 bits": (replace(settings["digits"], ring=FOUR), identity),
        "conjunction": (settings["conjunction"], lambda x, y: x & y),
        "conjunction of words": (settings["conjunction of words"], lambda x, y: x & y),
        "selection": (settings["selection"], lambda bit, x: bit * x),
        "selection, twice": (settings["selection, twice"], lambda bit, x: bit * x),
        "integer of a bit": (settings["integer of a bit"], identity),
        "opening": (settings["opening"], lambda x, y: 3 * x + y),
    }


EXACT = {
    (name, what): found for name, settings in SETTINGS.items() for what, found in exact(settings).items()
}


@pytest.mark.parametrize(
    ("name", "what", "alone"),
    [(name, what, alone) for name, what in EXACT for alone in range(MODELS[name].holders)],
)
def test_results_are_right_for_all_inputs_and_all_randomness(name: str, what: str, alone: int) -> None:
    """For all inputs and sharings of them, and of all further coins as many as can be enumerated."""
    model, (setting, expected) = MODELS[name], EXACT[name, what]
    setting = replace(setting, alone=alone)
    play = played(model, setting, Coins(min(tossed(model, setting), ENUMERATED), 4))
    values = [
        setting.ring.signed(secret) if kind == "integer" else secret
        for kind, secret in zip(setting.inputs, play.secrets, strict=True)
    ]
    found, width = reconstructed(model, setting, play)
    assert all_right(setting.ring, setting.rounding, values, found, expected(*values) & (1 << width) - 1)


def all_right(
    ring: Ring, rounding: Rounding, inputs: Sequence[Tensor], found: Tensor, expected: Tensor
) -> bool:
    """Tell if what came out is what was expected; rounded to the nearest it may be wrong for large inputs."""
    wrong = found != expected
    if rounding == "nearest":
        wrong &= inputs[0].abs() < ring.truncated_limit
    return not wrong.any()


ROUNDED: dict[str, tuple[Setting, Callable[[Tensor], Tensor]]] = {
    "half": (BASIC["half"], identity),
    "quarter": (BASIC["quarter"], identity),
    "half of a square": (Setting(square, ("integer",), THREE), torch.square),
}


@pytest.mark.parametrize("what", ROUNDED)
@pytest.mark.parametrize(
    ("name", "alone"), [(name, a) for name in MODELS for a in range(MODELS[name].holders)]
)
def test_a_quotient_is_its_floor_or_ceiling_and_on_average_exact(name: str, what: str, alone: int) -> None:
    model, (setting, value) = MODELS[name], ROUNDED[what]
    setting = replace(setting, alone=alone, spare=SETTINGS[name]["half"].spare)
    play = played(model, setting, Coins(20) if setting.spare else Coins(16, 4))
    found = setting.ring.signed(reconstructed(model, setting, play)[0])
    for secret in range(1 << setting.secret_bits):
        exact = int(value(setting.ring.signed(torch.tensor(secret))))
        if abs(exact) < setting.ring.truncated_limit:
            errors = (found[play.secrets[0] == secret] << setting.drop) - exact
            assert int(errors.abs().max()) < 1 << setting.drop
            assert int(errors.sum()) == 0
