"""Make the virtual environment: `python3 scripts/bootstrap.py .venv`. Needs the standard library alone.

Versions are pinned by constraints.txt. torch goes first and by its exact version, because a range may
resolve to a build with several gigabytes of accelerator libraries; torchvision goes without its
dependencies for the same reason (they are installed as ours).
"""

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)


def main() -> None:
    """Make or complete the environment named on the command line."""
    if sys.version_info < OLDEST:
        sys.exit(f"mdl needs Python {'.'.join(map(str, OLDEST))} or newer; this is {sys.version.split()[0]}")
    folder = Path(sys.argv[1])
    if not (folder / "bin" / "python").exists():
        print(f"making {folder}")
        venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    constraints = ROOT / "constraints.txt"
    pins = dict(line.split("==") for line in constraints.read_text().split() if "==" in line)
    steps = (
        ("PyTorch", [f"torch=={pins['torch']}"]),
        ("torchvision", ["--no-deps", f"torchvision=={pins['torchvision']}"]),
        ("mdl and the rest", ["-c", str(constraints), "-e", f"{ROOT}[dev]"]),
    )
    for name, arguments in steps:
        print(f"installing {name}", flush=True)
        subprocess.run([*pip, *arguments], check=True)  # noqa: S603 - our own arguments


if __name__ == "__main__":
    main()
