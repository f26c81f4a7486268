"""The Bloch-Redfield generator of a qubit, and what it keeps that Davies drops."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import ideal
from twins import lindblad as twin

import entropax as ex
from entropax.method import AbstractIdealBathEquation

AT = jnp.zeros(1)


@eqx.filter_jit
def matrix(method: AbstractIdealBathEquation, model: ex.OpenSystem) -> jax.Array:
    return method.equation(model, AT).generator(model).matrix()


def qubit() -> ex.OpenSystem:
    return ideal.qubit_at(ex.ThermalBath(ideal.BETAS[0], ideal.OHMIC))


def test_coherences_of_both_directions_stay_coupled() -> None:
    """dx/dt of rho_01 has a rate for its conjugate, where Davies has none."""
    h = np.diag([0.0, 1.0])
    redfield = twin.complex_map(np.asarray(matrix(ex.Redfield(), qubit())))
    expected = twin.liouvillian(
        lambda rho: -1j * (h @ rho - rho @ h) + twin.redfield(h, twin.SX, ideal.RATES[0], rho + 0j),
        2,
    )
    np.testing.assert_allclose(redfield, expected, rtol=0, atol=1e-14)
    down, up = ideal.RATES[0](1.0), ideal.RATES[0](-1.0)
    # rows of rho: 00, 01, 10, 11
    np.testing.assert_allclose(redfield[1, 2], (down + up) / 2, rtol=1e-13)
    np.testing.assert_allclose(redfield[0, [0, 3]], [-up, down], rtol=1e-13)
    davies = twin.complex_map(np.asarray(matrix(ex.Davies(coherences=True), qubit())))
    np.testing.assert_allclose(davies[1], [0.0, 1j - (down + up) / 2, 0.0, 0.0], atol=1e-14)


def test_it_parts_nothing_and_knows_no_frame() -> None:
    assert not ex.Redfield().equation(qubit(), AT).is_secular(qubit())
    turning = ideal.qubit(frame=np.diag([0.0, 1.0]))
    with pytest.raises(ValueError, match="`frame` must be None for Redfield"):
        ex.Redfield().equation(turning, AT)
