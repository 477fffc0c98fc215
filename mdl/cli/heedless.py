"""What is printed where nobody reads goes nowhere: on a closed terminal, into a pipe without a reader.

What a command computes is worth more than what it says meanwhile. It can be noticed only in writing: a reader
may leave while a line waits for it, and threads draw tables.
"""

import errno
import io
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_NOBODY_READS: Final = (errno.EPIPE, errno.EIO)
"""Of a pipe, and of a terminal."""


def print_heedlessly() -> None:
    """Let nothing from now on fail, in this process, because nobody reads what it prints."""
    # Who has put another stream there, as tests do, or has closed it, sees to it themselves.
    if sys.__stdout__ is not None and sys.stdout is sys.__stdout__:
        sys.stdout = _heedless(sys.__stdout__)
    if sys.__stderr__ is not None and sys.stderr is sys.__stderr__:
        sys.stderr = _heedless(sys.__stderr__)


def _heedless(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    """Give a stream that prints where another does, in the same way."""
    stream.flush()
    raw = _Heedless(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        raw if stream.write_through else io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _Heedless(io.FileIO):
    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in _NOBODY_READS:
                raise
            return memoryview(data).nbytes
