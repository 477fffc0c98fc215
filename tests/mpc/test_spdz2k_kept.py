"""What was kept is taken up under another key; whoever has kept something else is found out."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import pytest
import torch
from scipy import stats
from torch import Tensor

from mdl.errors import CheatingDetected
from mdl.mpc.engine import Engine, multiply
from mdl.mpc.residues import RING_104
from mdl.mpc.rounds import Protocol, Traffic, play
from mdl.mpc.secret import Secret, of_wide, read, wide_parts, written
from mdl.mpc.spdz2k import AuthenticatedHolder, begun
from mdl.mpc.spdz2k.checks import STEPS
from mdl.mpc.wide import Wide
from mdl.schemes.randomness import SystemRandomness
from tests.mpc.dealt import dealt_bytes, online
from tests.mpc.parties import shared
from tests.mpc.tampering import tampered

T = TypeVar("T")

ONE, TWO = torch.tensor([[70_000, -3], [0, 2**31 - 1]]), torch.tensor([-(2**31), 5, -1])

Kept = Sequence[Secret]


def engines(holders: int = 2) -> Mapping[int, Engine]:
    parties = range(holders + 1)
    found, _ = play({party: begun(party, holders, "nearest", SystemRandomness()) for party in parties})
    return found


async def keeping(engine: Engine) -> Kept:
    """Secrets of several shapes, of which one has been computed, and one is public."""
    one, two = await shared(engine, ONE), await shared(engine, TWO, 1)
    return [one, await engine.product(multiply, two, two[:1].expand(3)), two, engine.public(TWO)]


def kept(holders: int = 2) -> Mapping[int, Kept]:
    """Give what each party keeps of a start: as it is written."""
    found, _ = play({party: keeping(engine) for party, engine in engines(holders).items()})
    return {party: [read(written(secret), secret) for secret in secrets] for party, secrets in found.items()}


async def computed(engine: Engine, secrets: Kept) -> Tensor:
    """Take secrets up, use them in every way, and open what comes of it."""
    one, square, two, public = await engine.resumed(secrets)
    signs = await engine.integers(await engine.negative(two))
    less = await engine.truncate(one, 3)
    product = await engine.product(multiply, less[0, :1].expand(3), public, plus=square)
    return await engine.open(product + signs)


EXPECTED = 8750 * TWO + TWO * TWO[0] + torch.tensor([1, 0, 1])


@pytest.mark.parametrize("holders", [2, 3, 10])
def test_what_was_kept_is_computed_with_under_another_key(holders: int) -> None:
    before = kept(holders)
    for _ in range(2):  # two starts may go on from the same epoch
        programs = {party: computed(each, before[party]) for party, each in engines(holders).items()}
        results, _ = play(programs)
        for holder in range(holders):
            assert torch.equal(results[holder], EXPECTED)


def test_macs_of_another_start_are_worth_nothing() -> None:
    before = kept()

    async def untaken(engine: Engine, secrets: Kept) -> Tensor:
        return await engine.open(secrets[0])

    with pytest.raises(CheatingDetected, match="what was opened is not what was shared"):
        play({party: untaken(engine, before[party]) for party, engine in engines().items()})


@pytest.mark.parametrize("which", range(3))
@pytest.mark.parametrize("holders", [2, 3])
def test_who_has_kept_another_starts_secrets_is_found_out(which: int, holders: int) -> None:
    """A holder, with the public parts of others or its own, or the dealer."""
    before, other = kept(holders), kept(holders)
    party = holders if which == 2 else which
    mixed = {**before, party: other[party]}
    with pytest.raises(CheatingDetected, match="checkpoints are not of the same epoch and start"):
        play({party: computed(engine, mixed[party]) for party, engine in engines(holders).items()})


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("secret", range(4))
def test_a_bit_of_a_checkpoint_that_has_changed_is_found_out(part: int, secret: int) -> None:
    """Of what counts: MACs of an earlier start do not."""
    before = {party: list(secrets) for party, secrets in kept().items()}
    tensors = written(before[0][secret])
    tensors[part].view(-1)[3] ^= 1
    before[0][secret] = read(tensors, before[0][secret])
    with pytest.raises(CheatingDetected, match="or changed"):
        play({party: computed(engine, before[party]) for party, engine in engines().items()})


def test_a_bit_above_those_that_count_may_have_changed_and_changes_no_result() -> None:
    unnoticed = 0
    for _ in range(20):
        before = {party: list(secrets) for party, secrets in kept().items()}
        public, share, mac = wide_parts(before[0][2])
        changed = share + Wide.constants([1 << 103, 0, 0], RING_104)
        before[0][2] = of_wide((public, changed, mac), before[0][2].units)
        try:
            results, _ = play({party: computed(engine, before[party]) for party, engine in engines().items()})
        except CheatingDetected:
            continue
        assert torch.equal(results[1], EXPECTED)
        unnoticed += 1
    assert unnoticed > 0


def test_without_looking_a_sign_would_be_that_of_the_dealers_mask() -> None:
    """It is made of public parts and what is dealt alone: shares are not looked at, nor their MACs."""

    async def unverified(engine: Engine, secrets: Kept) -> Tensor:
        signs = await engine.negative(secrets[0].expand(50, 2, 2))
        return await engine.open(await engine.integers(signs))

    wrong = 0
    for _ in range(10):
        before, other = kept(), kept()
        mixed = {**before, 2: other[2]}
        results, _ = play({party: unverified(engine, mixed[party]) for party, engine in engines().items()})
        wrong += not torch.equal(results[0][0], (ONE < 0).to(torch.int64))
    assert wrong


def test_any_message_of_a_holder_that_is_changed_is_found_out() -> None:
    before = kept()

    def programs() -> dict[int, Protocol[Tensor]]:
        return {party: opened(engine, before[party]) for party, engine in engines().items()}

    async def opened(engine: Engine, secrets: Kept) -> Tensor:
        return await engine.open((await engine.resumed(secrets))[2])

    _, traffic = play(programs())
    for index, (_, sender, _, _) in enumerate(traffic.messages):
        outcome = tampered(programs(), index, 5 * index)
        if sender == 2:  # who is trusted: what it deals wrongly is found out, or of no consequence
            results = (found for party, found in outcome.results.items() if party != 2)
            assert all(torch.equal(found, TWO) for found in results)
        else:
            assert outcome.detected.keys() == {1 - sender}


def resumed(before: Mapping[int, Kept]) -> tuple[Mapping[int, Engine], Traffic]:
    found = engines(len(before) - 1)
    _, traffic = play({party: engine.resumed(before[party]) for party, engine in found.items()})
    return found, traffic


def test_what_is_sent_is_a_mac_for_each_number_and_one_sum() -> None:
    _, traffic = resumed(kept(3))
    count = sum(secret.shape.numel() for secret in kept()[0])
    verification = 6 * ((32 + 32) + (16 + 32) + 32 + (13 + 8 + 32))
    assert online(traffic, 3) == (1 + STEPS, 6 * 13 + verification)
    assert dealt_bytes(traffic, 3) == 13 * (count + 1)


def test_the_sum_that_is_opened_tells_nothing() -> None:
    before, sums = kept(), []
    for _ in range(250):
        _, traffic = resumed(before)
        one, two = (
            tensor for _, sender, _, tensor in traffic.messages if tensor.shape == (1, 13) if sender < 2
        )
        sums.append(sum(int.from_bytes(bytes(each.flatten().tolist()), "little") for each in (one, two)))
    for place in range(104):
        assert stats.binomtest(sum(each >> place & 1 for each in sums), 250).pvalue > 1e-8


def test_keys_are_drawn_anew_and_streams_stay_together() -> None:
    before = kept()
    (one, _), (two, _) = resumed(before), resumed(before)
    for engine, other in ((one[0], two[0]), (one[1], two[1])):
        assert isinstance(engine, AuthenticatedHolder)
        assert isinstance(other, AuthenticatedHolder)
        assert key_of(engine) != key_of(other)
    dealer = one[2]
    for number in range(2):
        assert one[number]._source.stream.drawn_bytes == dealer._hand.streams[number].drawn_bytes  # type: ignore[attr-defined]


def key_of(holder: AuthenticatedHolder) -> bytes:
    """Give a holder's share of the key."""
    return bytes(holder._key.number.packed().tolist())


def test_masks_and_public_parts_are_taken_up_as_they_were_kept() -> None:
    before = kept()
    found = engines()
    results, _ = play({party: engine.resumed(before[party]) for party, engine in found.items()})
    for holder in (0, 1):
        for now, then in zip(results[holder], before[holder], strict=True):
            assert now.units == then.units
            for part, kept_part in zip(wide_parts(now)[:2], wide_parts(then)[:2], strict=True):
                assert torch.equal(part.packed(), kept_part.packed())
