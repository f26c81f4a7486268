"""Units of rounding; double precision switched on unless the environment says otherwise."""

from collections.abc import Iterator

import jax
import numpy as np
import pytest

from entropax import _precision


@pytest.fixture
def single_precision() -> Iterator[None]:
    jax.config.update("jax_enable_x64", False)
    yield
    jax.config.update("jax_enable_x64", True)


def test_units_of_rounding() -> None:
    assert np.finfo(float).eps == _precision.EPS
    assert np.finfo(float).tiny == _precision.TINY


@pytest.mark.usefixtures("single_precision")
def test_double_precision_is_demanded_in_words() -> None:
    with pytest.raises(ValueError, match="64-bit JAX is switched off: unset JAX_ENABLE_X64"):
        _precision.require_float64()
    jax.config.update("jax_enable_x64", True)
    _precision.require_float64()


@pytest.mark.usefixtures("single_precision")
@pytest.mark.parametrize("value", ["0", "1"])
def test_the_environment_decides_where_it_speaks(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAX_ENABLE_X64", value)
    _precision.enable_float64()
    assert not jax.config.read("jax_enable_x64")
    monkeypatch.delenv("JAX_ENABLE_X64")
    _precision.enable_float64()
    assert jax.config.read("jax_enable_x64")
