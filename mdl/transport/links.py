"""Links as Unix-domain sockets: opening them, moving frames over them, closing them."""

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, cast

from mdl.errors import HandshakeRefused, TransportError
from mdl.ledger import Ledger
from mdl.transport.frames import FRAME_LIMIT, PREFIX_BYTES, FrameReader, prefix
from mdl.transport.handshake import HANDSHAKE_LIMIT, Conversation, T

HANDSHAKE_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 1.0
"""How long a closing link may take to flush what it still holds."""

_READ_BYTES: Final = 256 * 1024
_STREAM_LIMIT: Final = 1024 * 1024
"""asyncio stops reading a socket once twice as much is buffered."""

_WRITE_BUFFER: Final = 2 * 1024 * 1024
"""Bytes that wait to be written before whoever sends must wait."""

_SOCKET_BYTES: Final = 1024 * 1024
_RETRY_SECONDS: Final = 0.02
_BACKLOG: Final = 1024

OnLink = Callable[["Link"], None]


class Link:
    """One end of an open connection; frames in order, both ways.

    Attributes:
        turn: held by whoever sends, until the link has room again: the queue in which senders wait.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.turn = asyncio.Lock()
        self._reader, self._writer = reader, writer
        self._frames = FrameReader(HANDSHAKE_LIMIT)
        self._finished = False
        self._spare = _prepare(writer)

    def widen(self) -> None:
        """Accept frames of full size: the other end has proved who it is."""
        self._frames.limit_bytes = FRAME_LIMIT

    def put(self, body: bytes) -> int:
        """Hand a frame to the link, whole; give the bytes it takes on the way.

        Raises:
            FrameTooLarge: it is no frame; nothing was sent.
            ConnectionError: the link is closed.
        """
        head = prefix(body)
        if self._finished or self._writer.is_closing():
            raise ConnectionResetError("the link is closed")
        self._writer.writelines((head, body))
        return PREFIX_BYTES + len(body)

    async def drain(self) -> None:
        """Wait until the link has room for another frame.

        Raises:
            OSError: the link is gone.
        """
        await self._writer.drain()

    async def next(self) -> bytes | None:
        """Give the next body, or None where the other end has closed.

        Raises:
            FrameTooLarge, MalformedMessage: what came is no frame, or only the beginning of one.
        """
        while (body := self._frames.pull()) is None:
            data = await self._reader.read(_READ_BYTES) or self._last_words()
            if not data:
                self._frames.finish()
                return None
            self._frames.feed(data)
        return body

    async def bodies(self) -> AsyncIterator[bytes]:
        """Iterate over the bodies that come until the other end closes. Raises like `next`."""
        while (body := await self.next()) is not None:
            yield body

    async def detach(self) -> tuple[socket.socket, bytes]:
        """Take the connection away from the event loop, after what was put has gone out.

        Returns:
            The socket, blocking, for the caller to close; and what had been read from it already.
        """
        kept = self._spare.dup()
        try:
            cast(asyncio.Transport, self._writer.transport).pause_reading()
            await self.close()
            early = self._frames.rest() + await self._reader.read()
            kept.setblocking(True)
        except BaseException:
            kept.close()
            raise
        return kept, early

    def finish(self) -> None:
        """Say that nothing more will be sent. What was put before still goes out."""
        self._finished = True
        if not self._writer.is_closing():
            with suppress(OSError):
                self._writer.write_eof()

    def abort(self) -> None:
        """Close at once; what was not sent or read yet is lost."""
        self._spare.close()
        self._writer.transport.abort()

    async def close(self) -> None:
        """Close after what was put has gone out, or after `CLOSE_SECONDS`. May be called twice."""
        self._writer.close()
        try:
            with suppress(OSError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._writer.wait_closed()
        finally:
            self.abort()

    def _last_words(self) -> bytes:
        """Read what the socket still holds after the stream has ended.

        When a write fails because the other end is gone, asyncio closes the transport, unread data and all.
        What the peer said before it left is read from a second descriptor of the same socket.
        """
        try:
            return self._spare.recv(_READ_BYTES, socket.MSG_DONTWAIT)
        except OSError:
            return b""


def _prepare(writer: asyncio.StreamWriter) -> socket.socket:
    """Set a connection's buffers; give a second descriptor of its socket."""
    writer.transport.set_write_buffer_limits(high=_WRITE_BUFFER)
    shared = writer.get_extra_info("socket")
    spare = socket.socket(fileno=os.dup(shared.fileno()))
    for buffer in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        spare.setsockopt(socket.SOL_SOCKET, buffer, _SOCKET_BYTES)
    return spare


class _LinkReader(asyncio.StreamReader):
    """A stream that ends where it fails, after its last byte: asyncio's would drop what it holds."""

    def set_exception(self, _exc: BaseException) -> None:
        self.feed_eof()


async def dial(path: Path, *, patience_seconds: float) -> Link:
    """Connect to a listener, which may take `patience_seconds` to appear.

    Raises:
        TransportError: the directory is not private, or nobody listens there.
    """
    check_place(path)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience_seconds
    while True:
        try:
            return await _connect(path)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            if loop.time() >= deadline:
                raise TransportError(f"nobody listens at {path}") from error
        await asyncio.sleep(_RETRY_SECONDS)


async def _connect(path: Path) -> Link:
    loop = asyncio.get_running_loop()
    reader = _LinkReader(limit=_STREAM_LIMIT, loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport, _ = await loop.create_unix_connection(lambda: protocol, str(path))
    return Link(reader, asyncio.StreamWriter(transport, protocol, reader, loop))


async def serve(path: Path, on_link: OnLink) -> asyncio.AbstractServer:
    """Listen; hand each new link to `on_link`. A file left over from an earlier run is replaced.

    Raises:
        TransportError: the directory is not private.
    """
    check_place(path)
    loop = asyncio.get_running_loop()

    def protocol() -> asyncio.StreamReaderProtocol:
        reader = _LinkReader(limit=_STREAM_LIMIT, loop=loop)
        return asyncio.StreamReaderProtocol(
            reader, lambda reader, writer: on_link(Link(reader, writer)), loop=loop
        )

    return await loop.create_unix_server(protocol, str(path), backlog=_BACKLOG)


def check_place(path: Path) -> None:
    """Make sure that nobody else can reach a socket at `path`.

    Raises:
        TransportError: its directory is missing, another user's, or accessible to others; or the path is too
            long.
    """
    # sockaddr_un holds 108 bytes, one of them the closing zero.
    if len(os.fsencode(path)) > 107:
        raise TransportError(
            f"{path}: a socket's path may have at most 107 bytes; choose a shorter run folder"
        )
    try:
        status = path.parent.stat()
    except OSError as error:
        raise TransportError(f"{path.parent}: no directory for the sockets ({error.strerror})") from error
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise TransportError(f"{path.parent}: sockets need a directory of one's own with mode 0700")


async def shake_hands(
    link: Link, conversation: Conversation[T], ledger: Ledger, timeout_seconds: float = HANDSHAKE_SECONDS
) -> T:
    """Play one side of the handshake over a new link; its result is the conversation's.

    Raises:
        HandshakeRefused: either side refused, hung up, or took longer than `timeout_seconds` for all of it.
        TransportError: what came is no handshake.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            result = await _converse(link, conversation, ledger)
    except TimeoutError:
        raise HandshakeRefused(f"the handshake took more than {timeout_seconds:g} s") from None
    except OSError as error:
        raise HandshakeRefused("the other side hung up in the handshake") from error
    link.widen()
    return result


async def _converse(link: Link, conversation: Conversation[T], ledger: Ledger) -> T:
    heard: bytes | None = None
    while True:
        try:
            said = conversation.send(heard)
        except StopIteration as end:
            result: T = end.value
            return result
        if said is None:
            heard = await link.next()
            if heard is None:
                raise ConnectionResetError("end of the stream")
            ledger.count_received("handshake", PREFIX_BYTES + len(heard))
        else:
            heard = None
            ledger.count_sent("handshake", link.put(said))
            await link.drain()
