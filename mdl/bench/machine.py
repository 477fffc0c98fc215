"""Where and with what something was measured."""

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from mdl import __version__

_PACKAGES: Final = ("numpy", "gmpy2", "cryptography", "coincurve")


def machine() -> Mapping[str, Any]:
    """Describe this machine, its libraries, and the date."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "mdl": __version__,
        "packages": {name: metadata.version(name) for name in _PACKAGES},
        "date": datetime.now(UTC).date().isoformat(),
    }


def sentence(described: Mapping[str, Any]) -> str:
    """Say in a line what `machine` gave."""
    packages = ", ".join(f"{name} {version}" for name, version in described["packages"].items())
    return (
        f"{described['processor']}, {described['cores']} cores, {described['system']}; "
        f"Python {described['python']}, {packages}; {described['date']}"
    )


def _processor() -> str:
    """Give the name that Linux knows the processor by, or what Python knows elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
