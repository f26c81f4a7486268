"""Versions of what makes the numbers."""

import importlib.metadata
import sys

import jax
import numpy as np

import entropax
from entropax._versions import versions


def test_versions_are_those_that_run() -> None:
    found = versions()
    assert found["entropax"] == entropax.__version__
    assert found["jax"] == jax.__version__
    assert found["numpy"] == np.__version__
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))


def test_every_package_named_is_one_that_entropax_asks_for() -> None:
    """jaxlib comes with jax."""
    required = importlib.metadata.requires("entropax") or []
    for name in set(versions()) - {"python", "entropax", "jaxlib"}:
        assert any(line.startswith(name) for line in required), name
