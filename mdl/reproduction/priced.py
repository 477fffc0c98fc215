"""A scheme that costs virtual time what another costs in truth, and puts as many bytes on the wire.

The values are those of `mdl.schemes.plain`, which every private scheme equals, integer for integer; hints
and shares are zeros. It hides nothing and is for the virtual clock alone: hours of exponentiations become
seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from pydantic import ConfigDict

from mdl.party import PartyId
from mdl.protocols.rows import rows
from mdl.schemes.plain import Plain
from mdl.schemes.settings import PlainSettings, Requirements, SchemeSettings
from mdl.schemes.threshold import Ciphertext, Context, KeyShare, ThresholdEncryption
from mdl.system import Randomness
from mdl.vectors import Integers


@dataclass(frozen=True)
class Prices:
    """CPU seconds a parameter.

    Attributes:
        encrypt: of one member.
        share: of one opener.
        manager: to cut out what openers are shown, to add and to combine.
    """

    encrypt: float
    share: float
    manager: float

    def to_json(self) -> dict[str, float]:
        """Give it by name."""
        return asdict(self)

    def least(self, other: "Prices") -> "Prices":
        """Give the lower price of each step."""
        return Prices(
            min(self.encrypt, other.encrypt), min(self.share, other.share), min(self.manager, other.manager)
        )


@dataclass(frozen=True)
class Widths:
    """What a scheme puts on the wire for a block, and in what order it is spoken; see `ThresholdEncryption`.

    Attributes:
        threshold: openers that a sum needs.
        members_first: whether sets close before their members encrypt.
        body: bytes of a ciphertext's body.
        hint: bytes of its hint.
        shown: bytes of one member's hint as an opener is shown it.
        share: bytes of a decryption share.
    """

    threshold: int
    members_first: bool
    body: int
    hint: int
    shown: int
    share: int


def widths_of(scheme: ThresholdEncryption) -> Widths:
    """Give those of a scheme."""
    return Widths(
        threshold=scheme.threshold,
        members_first=scheme.members_first,
        body=scheme.body_bytes,
        hint=scheme.hint_bytes,
        shown=scheme.shown_bytes,
        share=scheme.share_bytes,
    )


@dataclass
class Till:
    """Takes in the price of each step, and gives it to the virtual clock.

    Attributes:
        due: seconds that no clock has been charged yet.
    """

    due: float = 0.0

    def add(self, seconds: float) -> None:
        """Note the price of a step."""
        self.due += seconds

    def charge(self, activity: str, seconds: float) -> float:
        """Give what a call costs the virtual clock: what is due for cryptography, else nothing."""
        del seconds
        if activity != "cryptography":
            return 0.0
        due, self.due = self.due, 0.0
        return due


@dataclass(frozen=True)
class Priced:
    """A `ThresholdEncryption` with another's widths and prices.

    Attributes:
        plain: gives the values.
        widths: of the scheme that is modelled.
        prices: what its steps cost for such sets.
        standing_for: how many parameters each one stands for: its price is theirs together.
        till: where prices go.
    """

    plain: Plain
    widths: Widths
    prices: Prices
    standing_for: int = 1
    till: Till = field(default_factory=Till, compare=False)

    @property
    def threshold(self) -> int:
        """The modelled scheme's."""
        return self.widths.threshold

    @property
    def members_first(self) -> bool:
        """The modelled scheme's."""
        return self.widths.members_first

    @property
    def body_bytes(self) -> int:
        """The modelled scheme's, or what the values need if that is more."""
        return max(self.widths.body, self.plain.body_bytes)

    @property
    def hint_bytes(self) -> int:
        """The modelled scheme's."""
        return self.widths.hint

    @property
    def shown_bytes(self) -> int:
        """The modelled scheme's."""
        return self.widths.shown

    @property
    def share_bytes(self) -> int:
        """The modelled scheme's."""
        return self.widths.share

    def shown(self, hint: bytes, opener: PartyId) -> bytes:
        """Show as many zeros as the modelled scheme shows bytes."""
        return bytes(len(hint) // self.hint_bytes * self.shown_bytes) if self.hint_bytes else b""

    def prepare(self) -> None:
        """There is nothing to build."""

    def deal(self, points: Sequence[PartyId], *, rng: Randomness) -> tuple[bytes, Mapping[PartyId, KeyShare]]:
        """Make empty keys."""
        return self.plain.deal(points, rng=rng)

    def check_key_share(self, public_key: bytes, share: KeyShare) -> None:
        """Check that they are empty."""
        self.plain.check_key_share(public_key, share)

    def encrypt(
        self,
        public_key: bytes,
        key_share: KeyShare,
        plaintext: Integers,
        context: Context,
        *,
        rng: Randomness,
    ) -> Ciphertext:
        """Write the entries down, each row filled up to the modelled width."""
        self._pay(self.prices.encrypt, context)
        body = self.plain.encrypt(public_key, key_share, plaintext, context, rng=rng).body
        wide = rows(body, self.plain.body_bytes)
        filled = b"".join(row.tobytes().ljust(self.body_bytes, b"\0") for row in wide)
        return Ciphertext(filled, bytes(len(context.blocks) * self.hint_bytes))

    def add(self, bodies: Sequence[bytes], context: Context) -> bytes:
        """Add the members' entries, row by row."""
        width = self.plain.body_bytes
        return self.plain.add([rows(b, self.body_bytes)[:, :width].tobytes() for b in bodies], context)

    def decryption_share(
        self, key_share: KeyShare, hints: Sequence[bytes], context: Context, *, rng: Randomness
    ) -> bytes:
        """Answer with zeros."""
        self._pay(self.prices.share, context)
        return bytes(len(context.blocks) * self.share_bytes)

    def rebase(self, share: bytes, opener: PartyId, context: Context, openers: tuple[PartyId, ...]) -> bytes:
        """Change nothing."""
        return share

    def combine(self, body: bytes, shares: Mapping[PartyId, bytes], context: Context) -> Integers:
        """Read the sums."""
        self._pay(self.prices.manager, context)
        return self.plain.combine(body, {}, replace(context, openers=()))

    def _pay(self, price: float, context: Context) -> None:
        self.till.add(price * len(context.blocks) * self.plain.block * self.standing_for)


class PricedSettings(SchemeSettings):
    """Stands where an experiment's ``scheme`` table stands; no file can name it.

    Attributes:
        name: of the scheme that is modelled.
        widths: its bytes, for the blocks and thresholds of the run.
        prices: what its steps cost.
        standing_for: how many parameters each one stands for.
        till: where prices go.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    type: Literal["priced"] = "priced"
    name: str
    widths: Widths
    prices: Prices
    standing_for: int = 1
    till: Till

    def build(self, wanted: Requirements) -> ThresholdEncryption:
        """See `SchemeSettings`."""
        assert wanted.threshold == self.widths.threshold, "priced for other thresholds"
        plain = PlainSettings().build(wanted)
        assert isinstance(plain, Plain)
        return Priced(plain, self.widths, self.prices, self.standing_for, self.till)

    def problems(self, wanted: Requirements) -> list[str]:
        """See `SchemeSettings`."""
        return PlainSettings().problems(wanted)

    def describe(self, wanted: Requirements) -> str:
        """Say that it is none."""
        return f"Nothing is hidden; times and bytes are those of {self.name}."

    @property
    def security_bits(self) -> int | None:
        """None: it hides nothing and does not seem to."""
        return None

    @property
    def heavy(self) -> bool:
        """No."""
        return False

    @property
    def members_first(self) -> bool:
        """The modelled scheme's."""
        return self.widths.members_first
