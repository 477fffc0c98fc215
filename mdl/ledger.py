"""What a party sent, received and spent, as data."""

import msgspec


class Traffic(msgspec.Struct):
    """Messages of one kind in one direction: how many, and their bytes on the link, framing included."""

    messages: int = 0
    size_bytes: int = 0


class LedgerEntry(msgspec.Struct, kw_only=True):
    """One party's account of a stretch of time: an epoch, or what came before the first or after the last.

    Attributes:
        party: whose.
        epoch: the epoch the stretch ended with; 0 for the set-up.
        sent: by message kind.
        received: by message kind.
        seconds: wall-clock seconds by activity (``training``, ``cryptography``, ``evaluation``, ``waiting``
            ...). Activities of one party can overlap, so the sum may exceed the stretch.
    """

    party: int
    epoch: int = 0
    sent: dict[str, Traffic] = {}
    received: dict[str, Traffic] = {}
    seconds: dict[str, float] = {}


class Ledger:
    """Collects entries; `turn` closes one and opens the next."""

    def __init__(self, party: int) -> None:
        self._entry = LedgerEntry(party=party)

    def count_sent(self, kind: str, size_bytes: int, messages: int = 1) -> None:
        """Note messages that left, and their bytes in all."""
        _count(self._entry.sent, kind, size_bytes, messages)

    def count_received(self, kind: str, size_bytes: int, messages: int = 1) -> None:
        """Note messages that arrived, and their bytes in all."""
        _count(self._entry.received, kind, size_bytes, messages)

    def spend(self, activity: str, seconds: float) -> None:
        """Note time spent on an activity."""
        spent = self._entry.seconds
        spent[activity] = spent.get(activity, 0.0) + seconds

    def turn(self, epoch: int) -> LedgerEntry:
        """Close the running entry as that of `epoch` and start an empty one."""
        closed, self._entry = self._entry, LedgerEntry(party=self._entry.party)
        closed.epoch = epoch
        return closed


def _count(table: dict[str, Traffic], kind: str, size_bytes: int, messages: int) -> None:
    traffic = table.setdefault(kind, Traffic())
    traffic.messages += messages
    traffic.size_bytes += size_bytes
