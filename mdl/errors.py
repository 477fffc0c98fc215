"""Everything that can go wrong, by whose fault it is.

::

    MdlError
    ├── ConfigError              the experiment file: says where in it, and what is allowed
    ├── DataUnavailable          a data set is not where it was looked for, or not what it should be
    ├── DamagedRecord            a party's record is there, and cannot be read
    ├── ProtocolError            a party said or did what the protocol forbids (culprits)
    │   ├── UnexpectedMessage
    │   ├── InvalidShare
    │   ├── CheatingDetected     a check that honest parties always pass has failed
    │   ├── PeerLeft             a party's link is gone
    │   ├── PeerTimeout          a party is there, but silent
    │   └── TooFewWorkers        fewer workers remain than the system needs
    ├── SchemeError              cryptography was asked for something it cannot give
    │   ├── NotEnoughShares
    │   └── OutOfRange
    ├── TransportError           bytes that are no message
    │   ├── FrameTooLarge
    │   ├── MalformedMessage
    │   └── HandshakeRefused
    │       └── LinkedAlready    an earlier link of the same party stands
    └── WorkerDied               a process of ours ended before its time

Every error hands its fields to ``super().__init__`` and formats in ``__str__``: an error that does not
cannot be unpickled, and one that crosses a process pool then takes the pool down with it.
"""

from collections.abc import Sequence


class MdlError(Exception):
    """Base of every error this package raises on purpose."""


class ConfigError(MdlError):
    """An experiment file asks for what is unknown, ill-typed or impossible.

    Args:
        problems: one sentence each, beginning with the place (``system.visibility: ...``).
        source: the file, or what stands for it.
    """

    def __init__(self, problems: Sequence[str], source: str = "experiment") -> None:
        super().__init__(tuple(problems), source)
        self.problems, self.source = tuple(problems), source

    def __str__(self) -> str:
        return "\n".join([f"{self.source}:", *(f"  {problem}" for problem in self.problems)])


class DataUnavailable(MdlError):
    """A data set is missing or malformed; the text says what was expected where, and how to get it."""


class DamagedRecord(MdlError):
    """A party's record is there, and cannot be read.

    Args:
        path: of the record.
        why: it cannot be read.
        advice: what to do. Who writes a record that can be done without says so; any other may keep what was
            opened or spent from being opened or spent again.
    """

    def __init__(
        self,
        path: str,
        why: str,
        advice: str = "what it says must not be forgotten, so this run cannot go on: begin a new one",
    ) -> None:
        super().__init__(path, why, advice)
        self.path, self.why, self.advice = path, why, advice

    def __str__(self) -> str:
        return f"{self.path} is damaged ({self.why}): {self.advice}"


class ProtocolError(MdlError):
    """A party said or did what the protocol forbids.

    Args:
        what: one sentence.
        culprits: the parties to blame, as far as that is known.
    """

    def __init__(self, what: str, culprits: Sequence[int] = ()) -> None:
        super().__init__(what, tuple(culprits))
        self.what, self.culprits = what, tuple(culprits)

    def __str__(self) -> str:
        return self.told()

    def told(self, beside: str = "manager") -> str:
        """Give the sentence and whom it blames; `beside` is what party 0 is called."""
        blame = ", ".join(party_name(culprit, beside) for culprit in self.culprits)
        return f"{self.what} ({blame})" if blame else self.what


class UnexpectedMessage(ProtocolError):
    """A well-formed message that its sender had no right to send now."""


class InvalidShare(ProtocolError):
    """A share, key share or decryption share that fails its check."""


class CheatingDetected(ProtocolError):
    """A check that honest parties always pass has failed: somebody did not follow the protocol."""


class PeerLeft(ProtocolError):
    """The link to a party is gone, for whatever cause."""


class PeerTimeout(ProtocolError):
    """A party is connected but did not answer in time."""


class TooFewWorkers(ProtocolError):
    """Fewer workers remain than the visibility threshold: nothing may be opened any more."""


class SchemeError(MdlError):
    """A cryptographic operation has no meaningful result for these inputs."""


class NotEnoughShares(SchemeError):
    """Fewer shares than the threshold were given."""


class OutOfRange(SchemeError):
    """A value does not fit the range that was proved to be enough."""


class TransportError(MdlError):
    """Bytes on a link that are no message of this protocol."""


class FrameTooLarge(TransportError):
    """A frame announces more bytes than any frame may have."""


class MalformedMessage(TransportError):
    """A frame that does not decode to a message this party may receive."""


class HandshakeRefused(TransportError):
    """The other side could not prove who it is, or wants to run something else."""


class LinkedAlready(HandshakeRefused):
    """The other side knows who this is, and has a link with it that it has not seen end yet."""


class WorkerDied(MdlError):
    """A party's process ended before its work was done.

    Args:
        party: who.
        how: exit code or signal, in words.
        last_words: the end of its log.
        beside: what party 0 is called.
    """

    def __init__(self, party: int, how: str, last_words: str = "", beside: str = "manager") -> None:
        super().__init__(party, how, last_words, beside)
        self.party, self.how, self.last_words, self.beside = party, how, last_words, beside

    def __str__(self) -> str:
        tail = f"{_LOG_BEGINS}\n{self.last_words}" if self.last_words else ""
        return f"{party_name(self.party, self.beside)} {self.how}{tail}"


def leaf(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Give the first error in a group of groups."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


_LOG_BEGINS = "\nThe end of its log:"


def without_log(how: str) -> str:
    """Say in a line how a party was lost, all but the end of its log."""
    return " ".join(how.partition(_LOG_BEGINS)[0].split())


def party_name(party: int, beside: str = "manager") -> str:
    """Name a party as a person would: workers count from 1, and 0 is called what it is `beside` them."""
    return beside if party == 0 else f"worker {party}"
