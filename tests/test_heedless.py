"""What is printed where nobody reads goes nowhere, and no command ends by it."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

SAYS = """
import sys
from mdl.cli.heedless import print_heedlessly
print_heedlessly()
for _ in range(100):
    print("aäb" * 300, file=sys.{stream}, flush=True)
print("more", file=sys.{stream})
{other}.write("came to its end")
"""


def says(stream: str, *options: str, into: int) -> tuple[int, bytes]:
    """Have a process print much into a file; give its exit code, and what it says on the other stream."""
    other = "stderr" if stream == "stdout" else "stdout"
    code = SAYS.format(stream=stream, other=f"sys.{other}")
    files = {stream: into, other: subprocess.PIPE}
    ended = subprocess.run([sys.executable, *options, "-c", code], timeout=20, check=False, **files)  # type: ignore[call-overload] # noqa: S603
    said: bytes = ended.stdout if other == "stdout" else ended.stderr
    return ended.returncode, said


@pytest.mark.parametrize("options", [(), ("-u",)])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_pipe_that_its_reader_has_left_ends_nothing(stream: str, options: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    assert says(stream, *options, into=writer) == (0, b"came to its end")
    os.close(writer)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_terminal_that_is_closed_ends_nothing(stream: str) -> None:
    ours, theirs = pty.openpty()
    os.close(ours)
    assert says(stream, into=theirs) == (0, b"came to its end")
    os.close(theirs)


@pytest.mark.parametrize("options", [(), ("-u",)])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_whoever_reads_gets_all(tmp_path: Path, stream: str, options: tuple[str, ...]) -> None:
    with (tmp_path / "said").open("wb") as file:
        assert says(stream, *options, into=file.fileno()) == (0, b"came to its end")
    assert (tmp_path / "said").read_text() == ("aäb" * 300 + "\n") * 100 + "more\n"


def test_a_full_disk_is_no_absent_reader() -> None:
    with Path("/dev/full").open("wb") as full:
        code, said = says("stdout", into=full.fileno())
    assert code != 0
    assert b"No space left on device" in said


@pytest.mark.parametrize("closed", [1, 2])
def test_a_command_goes_without_a_stream_that_is_closed(closed: int) -> None:
    line = f"exec {sys.executable} -m mdl check configs/quickstart.toml {closed}>&-"
    place = Path(__file__).parent.parent
    assert subprocess.run(["bash", "-c", line], cwd=place, capture_output=True, check=False).returncode == 0  # noqa: S603, S607
