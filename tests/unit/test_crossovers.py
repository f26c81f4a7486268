"""Crossovers: those of the devices in use."""

import jax
import pytest

from entropax._crossovers import Crossover


@pytest.mark.parametrize(("backend", "size"), [("cpu", 3), ("gpu", 7), ("tpu", 3)])
def test_the_size_is_that_of_the_device(
    backend: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    assert Crossover(cpu=3, gpu=7).here == size
