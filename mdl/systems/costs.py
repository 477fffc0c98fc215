"""What an epoch of ∝MDL^c costs on the wire, as formulas; a test holds the transport's count to them."""

from collections.abc import Mapping
from dataclasses import dataclass

from mdl.protocols import sets as active
from mdl.schemes.threshold import ThresholdEncryption
from mdl.vectors import Blocks


@dataclass(frozen=True)
class EpochBytes:
    """Payload bytes of one epoch over all links, nobody missing, every active set of the same size.

    With G bytes an element, n workers, t parameters, block size 1, |A| = m and m openers this comes to
    m·t·(2G + (m−1)·G + G + 4 + 4) for what grows with t·G, to which bitmaps and sets add n·t·(3/8 + ⌈n/8⌉).
    The paper's 4·m·t·G [∝MDL, §IV-C c] counts one element where an opener is shown the m−1 hints of the
    others here.

    Attributes:
        workers: n.
        members: |A|.
        blocks: how the parameters are divided.
        scheme: gives the widths of rows, and how many openers there are.
    """

    workers: int
    members: int
    blocks: Blocks
    scheme: ThresholdEncryption

    def by_kind(self) -> Mapping[str, int]:
        """Give the bytes of each kind of message."""
        count, scheme = self.blocks.count, self.scheme
        bitmaps = self.workers * -(-count // 8)
        # Openers are members if there are enough of them, and are not shown their own hint.
        inside = min(scheme.threshold, self.members)
        shown = inside * (self.members - 1) + (scheme.threshold - inside) * self.members
        return {
            "EpochBegins": self.workers * active.width(self.workers),
            "Register": bitmaps,
            "CallbackUpload": bitmaps,
            "Upload": count * self.members * (scheme.body_bytes + scheme.hint_bytes),
            "Closed": self.workers * count * active.width(self.workers),
            "Open": count * (shown * scheme.shown_bytes + scheme.threshold * 4),
            "Answer": count * scheme.threshold * scheme.share_bytes,
            "CallbackDownload": bitmaps,
            "Download": count * self.members * 4 * self.blocks.size,
        }

    @property
    def up(self) -> int:
        """From the workers to the manager."""
        kinds = self.by_kind()
        return kinds["Register"] + kinds["Upload"] + kinds["Answer"]

    @property
    def down(self) -> int:
        """From the manager to the workers."""
        return sum(self.by_kind().values()) - self.up


@dataclass(frozen=True)
class VersionBytes:
    """Payload bytes of ∝MDL^d while every block is updated once, over all links, nobody missing or late.

    In safe mode m·t·(2G + (m−1)·G + G) and less for identifiers, sets and values. As printed, a newcomer
    that finds l − 1 members exchanges 4G + 2(l−1)·G, which comes to (m² + 3m)·G an update [∝MDL, §V-C c].

    Attributes:
        workers: n.
        members: m, the size of every set.
        blocks: how the parameters are divided.
        scheme: gives the widths of rows, and how many openers there are.
        printed: shares are given on arrival (``mode = "paper"``).
    """

    workers: int
    members: int
    blocks: Blocks
    scheme: ThresholdEncryption
    printed: bool = False

    def by_kind(self) -> Mapping[str, int]:
        """Give the bytes of each kind of message; a block is named in 4 bytes wherever it occurs."""
        count, m, scheme = self.blocks.count, self.members, self.scheme
        openers, share = scheme.threshold, scheme.share_bytes
        common = {
            "Upload": count * m * (4 + scheme.body_bytes + scheme.hint_bytes),
            "Closing": self.workers * count * (4 + active.width(self.workers)),
            "Values": count * m * (4 + 4 * self.blocks.size),
        }
        if self.printed:
            earlier = m * (m - 1) // 2
            return common | {
                "Raise": count * (earlier * share + (m - 1) * 5),
                "Raised": count * earlier * share,
                "RaiseOwn": count * m * (4 + share),
                "RaisedOwn": count * m * share,
            }
        inside = min(openers, m)
        shown = inside * (m - 1) + (openers - inside) * m
        return common | {
            "Open": count * (shown * scheme.shown_bytes + openers * 4),
            "Answer": count * openers * share,
        }

    @property
    def up(self) -> int:
        """From the workers to the manager."""
        return sum(
            size
            for kind, size in self.by_kind().items()
            if kind in ("Upload", "Answer", "Raised", "RaisedOwn")
        )

    @property
    def down(self) -> int:
        """From the manager to the workers."""
        return sum(self.by_kind().values()) - self.up
