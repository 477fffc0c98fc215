"""Download named data sets into a folder, for experiments that read them from there."""

import argparse
import sys
from pathlib import Path

from mdl.errors import DataUnavailable
from mdl.learning.datasets import NAMED, fetch

EXAMPLE = """example:
  python scripts/fetch_data.py mnist cifar10 --into data
  MDL_DATA=data mdl run FILE --set learning.dataset=mnist
"""


def main() -> int:
    """Fetch each set that was asked for; say what failed, and end with 1 if anything did."""
    arguments = _parser().parse_args()
    failures = 0
    for name in arguments.names:
        try:
            fetch(name, arguments.into)
        except DataUnavailable as error:
            print(error, file=sys.stderr)
            failures += 1
        else:
            print(f"{name} is in {arguments.into}")
    return 1 if failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", nargs="+", choices=sorted(NAMED), metavar="NAME", help=", ".join(sorted(NAMED))
    )
    parser.add_argument("--into", type=Path, default=Path("data"), help="the folder (default: data)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
