"""Tensors as sealed messages: they come out as they went in, in their order, for the other end alone."""

import os

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mdl.errors import InvalidShare
from mdl.mpc import seals
from mdl.mpc.rounds import Wanted
from mdl.mpc.seals import TAG_BYTES, Seal, open_tensors, seal_tensors, sealed_bytes

TYPES = (torch.uint8, torch.int16, torch.int32, torch.int64)


def pair() -> tuple[Seal, Seal]:
    secret = os.urandom(32)
    return Seal(secret, 1, 2), Seal(secret, 2, 1)


def sealed(seal: Seal, *tensors: torch.Tensor) -> memoryview:
    room = memoryview(bytearray(sealed_bytes(sum(tensor.nbytes for tensor in tensors))))
    seal_tensors(seal, tensors, room)
    return room


def wanted(*tensors: torch.Tensor) -> list[Wanted]:
    return [Wanted(1, tensor.shape, tensor.dtype) for tensor in tensors]


@given(
    sizes=st.lists(st.tuples(st.sampled_from(TYPES), st.integers(0, 70)), min_size=1, max_size=5),
    piece=st.integers(1, 200),
)
@settings(max_examples=60)
def test_what_is_sealed_comes_out_however_it_is_cut(sizes: list[tuple[torch.dtype, int]], piece: int) -> None:
    tensors = [torch.arange(size).to(dtype) for dtype, size in sizes]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seals, "PIECE_BYTES", piece)
        one, two = pair()
        for _ in range(2):
            message = sealed(one, *tensors)
            found = open_tensors(two, message, wanted(*tensors))
            assert [each.dtype for each in found] == [tensor.dtype for tensor in tensors]
            assert all(torch.equal(each, tensor) for each, tensor in zip(found, tensors, strict=True))
            total = sum(tensor.nbytes for tensor in tensors)
            assert len(message) == total + TAG_BYTES * max(1, -(-total // piece))


@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (2, 3, 4)])
def test_tensors_of_whatever_shape_are_sealed(shape: tuple[int, ...]) -> None:
    one, two = pair()
    numbers = torch.full(shape, -5)
    (found,) = open_tensors(two, sealed(one, numbers), wanted(numbers))
    assert found.shape == numbers.shape
    assert torch.equal(found, numbers)


def test_what_is_no_contiguous_memory_is_sealed_as_it_reads() -> None:
    one, two = pair()
    table = torch.arange(12).reshape(3, 4)
    assert not table.T.is_contiguous()
    (found,) = open_tensors(two, sealed(one, table.T), wanted(table.T))
    assert torch.equal(found, table.T)


def test_what_came_does_not_change_when_its_message_does() -> None:
    one, two = pair()
    message = sealed(one, torch.arange(100))
    (found,) = open_tensors(two, message, wanted(torch.arange(100)))
    message[:] = bytes(len(message))
    assert torch.equal(found, torch.arange(100))


@pytest.mark.parametrize("place", [0, 50, 99, 100, 115, 116, 231])
def test_a_changed_bit_in_whatever_piece_is_found(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seals, "PIECE_BYTES", 100)
    one, two = pair()
    numbers = torch.arange(25)
    message = sealed(one, numbers)
    assert len(message) == 232
    message[place] ^= 1
    with pytest.raises(InvalidShare) as caught:
        open_tensors(two, message, wanted(numbers))
    assert caught.value.culprits == (1,)


def test_pieces_in_another_order_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seals, "PIECE_BYTES", 100)
    one, two = pair()
    numbers = torch.arange(25)
    message = sealed(one, numbers)
    exchanged = memoryview(bytes(message[116:]) + bytes(message[:116]))
    with pytest.raises(InvalidShare):
        open_tensors(two, exchanged, wanted(numbers))


def test_a_seal_opens_at_the_other_end_in_order_and_nowhere_else() -> None:
    secret, numbers = bytes(32), torch.arange(3)
    one, two, third = Seal(secret, 1, 2), Seal(secret, 2, 1), Seal(secret, 3, 1)
    first, second = sealed(one, numbers), sealed(one, numbers)
    assert bytes(first) != bytes(second)
    (found,) = open_tensors(two, first, wanted(numbers))
    assert torch.equal(found, numbers)
    for seal, message in (
        (two, first),  # again
        (Seal(secret, 2, 1), second),  # before its turn
        (third, first),  # of another pair
        (Seal(secret, 1, 2), first),  # back to its sender
    ):
        with pytest.raises(InvalidShare):
            open_tensors(seal, message, wanted(numbers))
