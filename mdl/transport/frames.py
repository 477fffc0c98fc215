"""Messages as bytes on a stream: a length, then that many bytes.

A frame is its body's length (4 bytes, big-endian) followed by the body. Nothing here does I/O.
"""

from collections.abc import Iterator
from typing import Final

from mdl.errors import FrameTooLarge, MalformedMessage

FRAME_LIMIT: Final = 32 * 1024 * 1024
"""Bytes a frame's body may have. Protocols send vectors in chunks of at most 1 MiB, or one block of
parameters where that is more, so every message is one frame."""

PREFIX_BYTES: Final = 4


def prefix(body: bytes, limit_bytes: int = FRAME_LIMIT) -> bytes:
    """Give the bytes that go before `body` on the link.

    Raises:
        FrameTooLarge: the body has more than `limit_bytes`.
    """
    if len(body) > limit_bytes:
        raise FrameTooLarge(f"a frame of {len(body)} bytes where at most {limit_bytes} are allowed")
    return len(body).to_bytes(PREFIX_BYTES)


class FrameReader:
    """Cuts a stream into the bodies of its frames, however it was chunked on the way.

    After an error the reader is of no more use: where the next frame would begin is not known.

    Attributes:
        limit_bytes: the longest body accepted; may be changed between frames.
    """

    def __init__(self, limit_bytes: int = FRAME_LIMIT) -> None:
        self.limit_bytes = limit_bytes
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take in `data`, at once; iterate over the bodies that are now complete.

        Raises:
            FrameTooLarge: from the iteration, in the place where the frame would have come.
        """
        self._buffer += data
        return iter(self.pull, None)

    def pull(self) -> bytes | None:
        """Take the next complete body, or None.

        Raises:
            FrameTooLarge: the next frame announces more than `limit_bytes`, whether its body has come or not.
        """
        if len(self._buffer) < PREFIX_BYTES:
            return None
        size = int.from_bytes(self._buffer[:PREFIX_BYTES])
        if size > self.limit_bytes:
            raise FrameTooLarge(
                f"a frame announces {size} bytes where at most {self.limit_bytes} are allowed"
            )
        end = PREFIX_BYTES + size
        if len(self._buffer) < end:
            return None
        body = bytes(memoryview(self._buffer)[PREFIX_BYTES:end])
        # A bytearray gives up its front without moving the rest, so many small frames in one chunk stay
        # cheap.
        del self._buffer[:end]
        return body

    def rest(self) -> bytes:
        """Give up what was fed and not pulled: what follows is no frame any more."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def finish(self) -> None:
        """Note that the stream has ended.

        Raises:
            MalformedMessage: it ended inside a frame.
        """
        if self._buffer:
            raise MalformedMessage(f"the link ended inside a frame, after {len(self._buffer)} bytes of it")
