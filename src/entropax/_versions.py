"""Versions of what makes the numbers: what a result is kept with."""

import platform
from importlib.metadata import version

_PACKAGES = ("entropax", "jax", "jaxlib", "equinox", "diffrax", "numpy")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that compute."""
    return {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES}
