"""Secrets as a party holds them: shares on which whatever is linear is computed locally."""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor

from mdl.mpc import wide
from mdl.mpc.wide import Wide

Linear: TypeAlias = Callable[[Tensor], Tensor]
"""A map that is linear over the ring: slices, permutations, sums, products with what is public."""

Mix: TypeAlias = Callable[..., Tensor]
"""Makes one tensor of all components, a linear combination of them."""


class Secret:
    """Integers modulo 2^64, or whatever the engine's shares are modulo, as one party holds them.

    Args:
        parts: this party's components, int64, all of the secret's shape; where 64 bits are too few, `Wide`
            ones take the tensors' place (see `of_wide`). They are not changed any more.
        units: for each, 1 if what is added publicly goes into that component, else 0.
    """

    def __init__(self, parts: tuple[Tensor, ...], units: tuple[int, ...]) -> None:
        self._parts, self.units = parts, units
        self._mixed: Tensor | None = None

    @property
    def parts(self) -> tuple[Tensor, ...]:
        """The party's components."""
        return self._parts

    def part(self, index: int) -> Tensor:
        """Give one of the components, where the others are not needed."""
        return self.parts[index]

    def add_part(self, index: int, to: Tensor, *, times: int = 1) -> None:
        """Add a multiple of one of the components to a tensor, in place."""
        to.add_(self.part(index), alpha=times)

    def __repr__(self) -> str:
        return f"Secret(shape={tuple(self.shape)})"

    @property
    def shape(self) -> torch.Size:
        """Of the secret."""
        return self.parts[0].shape

    def map(self, linear: Linear) -> "Secret":
        """Apply a linear map: to the components when they are looked at, or to what they are `mixed` to."""
        return _Mapped(self, linear)

    def times(self, factor: int) -> "Secret":
        """Multiply by a public integer, as `map` does: when it is looked at."""
        return _Multiple(self, factor)

    def mixed(self, mix: Mix) -> Tensor:
        """Combine the components. A party always combines them alike, and what it has combined is kept."""
        if self._mixed is None:
            self._mixed = mix(*self.parts)
        return self._mixed

    def _each(self, move: Linear) -> "Secret":
        """Apply what tensors and wide ones can do alike."""
        return Secret(tuple(move(part) for part in self.parts), self.units)

    def __add__(self, other: "Secret | Tensor | int") -> "Secret":
        if isinstance(other, Secret):
            pairs = zip(self.parts, other.parts, strict=True)
            return Secret(tuple(one + two for one, two in pairs), self.units)
        pairs_of_units = zip(self.parts, self.units, strict=True)
        if isinstance(other, int):
            return Secret(
                tuple(part + unit * other if unit else part for part, unit in pairs_of_units), self.units
            )
        return Secret(tuple(part + unit * other for part, unit in pairs_of_units), self.units)

    def __sub__(self, other: "Secret | Tensor | int") -> "Secret":
        if isinstance(other, Secret):
            pairs = zip(self.parts, other.parts, strict=True)
            return Secret(tuple(one - two for one, two in pairs), self.units)
        return self + -other

    def __neg__(self) -> "Secret":
        return self._each(operator.neg)

    def __mul__(self, factor: Tensor | int) -> "Secret":
        """Multiply by public integers."""
        return self._each(lambda part: part * factor)

    def __lshift__(self, bits: int) -> "Secret":
        return self._each(lambda part: part << bits)

    def __getitem__(self, index: Any) -> "Secret":
        return self._each(lambda part: part[index])

    def reshape(self, *shape: int) -> "Secret":
        """Reshape it."""
        return self._each(lambda part: part.reshape(*shape))

    def expand(self, *shape: int) -> "Secret":
        """Repeat it along axes of length one."""
        return self._each(lambda part: part.expand(*shape))

    def sum(self, axis: int) -> "Secret":
        """Add along an axis."""
        return self._each(lambda part: part.sum(axis))


class _Mapped(Secret):
    """A linear map of a secret, made when it is needed."""

    def __init__(self, source: Secret, linear: Linear) -> None:
        super().__init__((), source.units)
        self._source, self._linear = source, linear

    @cached_property
    def parts(self) -> tuple[Tensor, ...]:
        return tuple(_mapped(self._linear, part) for part in self._source.parts)

    def part(self, index: int) -> Tensor:
        return _mapped(self._linear, self._source.part(index))

    def mixed(self, mix: Mix) -> Tensor:
        if self._mixed is None:
            self._mixed = self._linear(self._source.mixed(mix))
        return self._mixed


class _Multiple(_Mapped):
    """A secret times a public integer, made when it is needed; to be added, it need not be."""

    def __init__(self, source: Secret, factor: int) -> None:
        super().__init__(source, lambda part: part * factor)
        self._factor = factor

    @cached_property
    def parts(self) -> tuple[Tensor, ...]:
        return tuple(part * self._factor for part in self._source.parts)

    def part(self, index: int) -> Tensor:
        return self._source.part(index) * self._factor

    def add_part(self, index: int, to: Tensor, *, times: int = 1) -> None:
        self._source.add_part(index, to, times=times * self._factor)


@dataclass(frozen=True, eq=False)
class Bits:
    """Words of bits, shared so that the components' exclusive or is the secret.

    Attributes:
        parts: this party's components, of an integer type, all of the secret's shape.
        units: for each, 1 if what is added publicly goes into that component, else 0.
        kept: what an engine has made of them and may use again.
    """

    parts: tuple[Tensor, ...]
    units: tuple[int, ...]
    kept: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Bits(shape={tuple(self.shape)})"

    @property
    def shape(self) -> torch.Size:
        """Of the secret."""
        return self.parts[0].shape

    def map(self, linear: Linear) -> "Bits":
        """Apply a map that is linear over exclusive or."""
        return Bits(tuple(linear(part) for part in self.parts), self.units)

    def __xor__(self, other: "Bits | Tensor | int") -> "Bits":
        if isinstance(other, Bits):
            return Bits(
                tuple(one ^ two for one, two in zip(self.parts, other.parts, strict=True)), self.units
            )
        pairs = zip(self.parts, self.units, strict=True)
        return Bits(tuple(part ^ other if unit else part for part, unit in pairs), self.units)

    def __getitem__(self, index: Any) -> "Bits":
        return self.map(lambda part: part[index])

    def digit(self, place: int) -> "Bits":
        """Give one binary digit of each word, as words of one bit, uint8."""
        return self.map(lambda part: (part >> place & 1).to(torch.uint8))

    def shifted(self, places: int) -> "Bits":
        """Move the digits of 32-bit words up, or down if `places` is negative; what comes in is zero."""
        if places >= 0:
            return self.map(lambda part: part << places)
        kept = (1 << 32 + places) - 1
        return self.map(lambda part: part >> -places & kept)


def of_wide(parts: Sequence[Wide], units: tuple[int, ...]) -> Secret:
    """Make a secret of wide components."""
    return Secret(cast("tuple[Tensor, ...]", tuple(parts)), units)


def wide_parts(secret: Secret) -> tuple[Wide, ...]:
    """Give the wide components of which a secret was made."""
    return cast("tuple[Wide, ...]", secret.parts)


def written(secret: Secret) -> list[Tensor]:
    """Give the components as plain tensors; of a wide one its packed bytes."""
    return [cast("Wide", part).packed() if _is_wide(part) else part for part in secret.parts]


def read(tensors: Sequence[Tensor], like: Secret) -> Secret:
    """Take up what `written` gave of a secret of the same shape and kind.

    Raises:
        ValueError: it is of another one.
    """
    due = [(each.shape, each.dtype) for each in written(like)]
    if [(each.shape, each.dtype) for each in tensors] != due:
        raise ValueError("not the components of such a secret")
    if not _is_wide(like.parts[0]):
        return Secret(tuple(tensors), like.units)
    pairs = zip(tensors, wide_parts(like), strict=True)
    return of_wide([Wide.unpacked(each, part.residues) for each, part in pairs], like.units)


def combined(secrets: Sequence[Secret], linear: Callable[[Sequence[Tensor]], Tensor]) -> Secret:
    """Apply a map that is linear in several secrets together."""
    columns = zip(*(secret.parts for secret in secrets), strict=True)
    if _is_wide(secrets[0].parts[0]):
        found = [wide.combined(cast("tuple[Wide, ...]", column), linear) for column in columns]
        return of_wide(found, secrets[0].units)
    return Secret(tuple(linear(column) for column in columns), secrets[0].units)


def concatenated(secrets: Sequence[Secret], axis: int = 0) -> Secret:
    """Join secrets along an axis."""
    return combined(secrets, lambda parts: torch.cat(list(parts), axis))


def stacked(secrets: Sequence[Secret], axis: int = 0) -> Secret:
    """Join secrets along a new axis."""
    return combined(secrets, lambda parts: torch.stack(list(parts), axis))


def stacked_bits(bits: Sequence[Bits], axis: int = 0) -> Bits:
    """Join words of bits along a new axis."""
    columns = zip(*(each.parts for each in bits), strict=True)
    return Bits(tuple(torch.stack(column, axis) for column in columns), bits[0].units)


def joined_bits(bits: Sequence[Bits], axis: int = 0) -> Bits:
    """Join words of bits along an axis."""
    columns = zip(*(each.parts for each in bits), strict=True)
    return Bits(tuple(torch.cat(column, axis) for column in columns), bits[0].units)


def _mapped(linear: Linear, part: Tensor) -> Tensor:
    return cast("Wide", part).map(linear) if _is_wide(part) else linear(part)  # type: ignore[return-value]


def _is_wide(part: object) -> bool:
    return isinstance(part, Wide)
