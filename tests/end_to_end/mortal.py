"""Runs in which a party kills its own process at a step of the protocol.

The launcher is the real one, and so is every process. Only the way into a party's process is another: there
what a victim sends and receives is counted. When its moment has come it falls silent, and once what it sent
before is out it is killed by SIGKILL. So nothing is left to the clock.
"""

import asyncio
import logging
import os
import signal
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from mdl import entry, launcher, node
from mdl.config import parse
from mdl.folder import locked
from mdl.party import Envelope, Message, PartyId
from mdl.transport.party import StreamParty

Step: TypeAlias = Literal["links", "sends", "sent", "got"]

if TYPE_CHECKING:  # every party's process imports this file
    import pytest

FLUSH_SECONDS: Final = 0.05
"""What a party's event loop needs to hand what it has sent to the operating system."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Moment:
    """When a party is killed.

    Attributes:
        party: which.
        step: ``links``: before it is linked with all others; ``sends``: instead of sending a message;
            ``sent``: with it sent, and nothing after it; ``got``: with it received.
        kind: of the message.
        count: the how manieth of this kind, counted over all peers.
    """

    party: PartyId
    step: Step
    kind: str = ""
    count: int = 1

    def __str__(self) -> str:
        return " ".join(map(str, (self.party, self.step, *((self.kind, self.count) if self.kind else ()))))


@dataclass(frozen=True)
class Ended:
    """How a run ended, and what its parties told."""

    summary: Mapping[str, Any]
    events: Sequence[Mapping[str, Any]]
    folder: Path

    @property
    def left(self) -> set[PartyId]:
        """The workers that left before their work was done."""
        return {left["worker"] for left in self.summary["left"]}

    def epochs_done(self, party: PartyId) -> set[int]:
        """The epochs that a party has done."""
        return {
            event["epoch"] for event in self.events if (event["kind"], event.get("party")) == ("done", party)
        }


def run(tables: Mapping[str, Any], place: Path, patch: "pytest.MonkeyPatch", *moments: Moment) -> Ended:
    """Launch an experiment in which these moments are the last of their parties."""
    patch.setattr(launcher, "enter", partial(enter, moments))
    events: list[Mapping[str, Any]] = []
    with locked(place) as held:
        summary = launcher.launch(parse(tables), held, data_dir=None, watch=events.append)
    for moment in moments:
        assert f"dies: {moment}\n" in (place / f"log-{moment.party}.txt").read_text(), "it never came to that"
    return Ended(summary, events, place)


def enter(moments: Sequence[Moment], pipe: Connection) -> None:
    """Become a party that is mortal; see `mdl.entry.enter`."""
    Mortal.moments = moments
    node.StreamParty = Mortal  # type: ignore[attr-defined]
    entry.enter(pipe)


class Mortal(StreamParty):
    """A party on real links that is killed when one of its moments comes."""

    moments: Sequence[Moment] = ()

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._passed: Counter[tuple[Step, str]] = Counter()
        self._dies = False

    async def linked(self, peers: Collection[PartyId], timeout_seconds: float) -> None:
        await self._pass("links", "")
        await super().linked(peers, timeout_seconds)

    async def send(self, to: PartyId, message: Message) -> None:
        await self._pass("sends", type(message).__name__)
        await super().send(to, message)
        await self._pass("sent", type(message).__name__)

    async def receive(self, *kinds: Any, sender: PartyId | None = None) -> Envelope[Any]:
        envelope = await super().receive(*kinds, sender=sender)
        await self._pass("got", type(envelope.message).__name__)
        return envelope

    async def _pass(self, step: Step, kind: str) -> None:
        """Go on, unless this is the last that this party does, or was to be done after it."""
        self._passed[step, kind] += 1
        moment = Moment(self.id, step, kind, self._passed[step, kind])
        loop = asyncio.get_running_loop()
        if moment in self.moments:
            self._dies = True
            logger.warning("dies: %s", moment)
            loop.call_later(FLUSH_SECONDS, os.kill, os.getpid(), signal.SIGKILL)
        if self._dies:
            await loop.create_future()  # for good
