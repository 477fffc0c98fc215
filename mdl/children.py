"""The parties' processes, as the launcher knows them: how far each has come, and why it has ended."""

import asyncio
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Final

from mdl.errors import MdlError, WorkerDied, party_name
from mdl.party import MANAGER, PartyId

_LAST_LINES: Final = 5
"""Of a log, that say what came before a party's end."""

_REASONS: Final = 4
"""That are told of one end, at most."""


@dataclass
class Child:
    """A party's process and what is known of it.

    Attributes:
        party: whose it is.
        process: it.
        pipe: orders go down it, and reports come up.
        epochs: of the run.
        done: the last one that it has done.
        linked: whether it is linked with the others.
        epoch: the last one that it has told anything of.
        trained: the last one whose training it has done.
        heard: when it has last told anything, of the clock that `reports` goes by; None before it was linked.
        failure: what it has told of its failure.
        finished: what it has told at its end.
        cut: whether the launcher has killed it.
        gone: set when its pipe has ended.
    """

    party: PartyId
    process: ForkServerProcess
    pipe: Connection
    epochs: int
    done: int = 0
    linked: bool = False
    epoch: int = 0
    trained: int = 0
    heard: float | None = None
    failure: Mapping[str, Any] | None = None
    finished: Mapping[str, Any] | None = None
    cut: bool = False
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def state(self) -> str:
        """Where in the run it is, as far as its reports tell."""
        if not self.linked:
            return "before it was linked with the others"
        if self.done >= self.epochs:
            return "after its last epoch"
        now = f"in epoch {self.done + 1}"
        if self.party == MANAGER:
            return now
        return (
            f"{now}, {'after its training' if self.trained > self.done else 'before its training was done'}"
        )

    def reports(self, kind: str, epoch: int, now: float) -> float:
        """Take note of a report, and give the seconds since the one before."""
        self.epoch = epoch
        if kind in ("done", "epoch"):
            self.done = max(self.done, epoch)
        elif kind in ("trained", "noised", "updated"):
            self.trained = max(self.trained, epoch)
        since, self.heard = now - (now if self.heard is None else self.heard), now
        return since


class _Bereaved(MdlError):
    """All that a party says is that another one is gone."""


def why_ended(child: Child, children: Iterable[Child], run: Path, beside: str) -> MdlError:
    """Say why a party has ended before its work was done.

    Args:
        child: the party's.
        children: all of the run.
        run: its folder, with the parties' logs.
        beside: what party 0 is called.
    """
    if child.failure is None:
        code = child.process.exitcode or 0
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return WorkerDied(child.party, f"{how} {child.state}", _last_words(run, child.party), beside)
    # That others lost this party is no news; anything else may be why it could not go on.
    telling = [
        other
        for other in children
        if other is not child and other.failure and other.failure["error"] != "PeerLeft"
    ]
    kind = _Bereaved if child.failure["error"] == "PeerLeft" and not telling else MdlError
    return kind("\n".join(_told([child, *telling], beside)[:_REASONS]))


def first_reason(known: MdlError | None, error: MdlError, child: Child) -> MdlError:
    """Give why a run ends: what is known first, unless that is of those that a killed party has left.

    It cannot say so itself, and they may be heard before its end is seen.
    """
    died = isinstance(error, WorkerDied) and not child.cut
    return error if known is None or (died and isinstance(known, _Bereaved)) else known


def _last_words(run: Path, party: PartyId) -> str:
    try:
        lines = (run / f"log-{party}.txt").read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(f"  {line}" for line in lines[-_LAST_LINES:])


def _told(children: Iterable[Child], beside: str) -> list[str]:
    """Give what has ended parties, once each, with the first party that says so; 0 is called `beside`."""
    said: dict[str, PartyId] = {}
    for child in children:
        assert child.failure is not None
        said.setdefault(f"{child.failure['error']}: {child.failure['message']}", child.party)
    return [f"{party_name(party, beside)}: {reason}" for reason, party in said.items()]
