"""The tree of errors, as it is drawn."""

import re
from collections.abc import Iterator

from mdl import errors


def drawn(kind: type[Exception], before: str = "") -> Iterator[str]:
    """Draw what is below an error; errors that other modules make of it are not in the tree."""
    below = [each for each in kind.__subclasses__() if each.__module__ == errors.__name__]
    for number, each in enumerate(below, start=1):
        last = number == len(below)
        yield f"{before}{'└── ' if last else '├── '}{each.__name__}"
        yield from drawn(each, f"{before}{'    ' if last else '│   '}")


def test_the_tree_is_that_of_the_classes() -> None:
    lines = re.findall(r"^    ([│ ]*[├└]── \w+)", errors.__doc__ or "", re.MULTILINE)
    assert lines == list(drawn(errors.MdlError))
