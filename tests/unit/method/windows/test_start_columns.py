"""The columns that a start fills, and what is between them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import JOINT, KEY, dense, pieces, spin
from twins import riera

import entropax as ex
from entropax.method.windows.hamiltonian import WindowHamiltonian
from entropax.method.windows.sectors import find_sectors
from entropax.method.windows.start_columns import LevelByLevel, SharedColumns

STARTS = {
    "correlated": (JOINT, LevelByLevel),
    "coherent": (ex.Product([[0.6, 0.2j], [-0.2j, 0.4]], windows=(0,)), LevelByLevel),
    "ket": (ex.JointState(np.full(10, 10**-0.5)), SharedColumns),
    "drawn": (ex.Product([0.3, 0.7], windows=(1,), pure=True), SharedColumns),
}


@pytest.mark.parametrize("name", STARTS)
def test_columns_and_weights_are_the_density_matrix(name: str) -> None:
    start, kind = STARTS[name]
    model = spin(start, volumes=(2, 3))
    sectors = find_sectors(model)

    def program(model: ex.OpenSystem) -> tuple:
        columns = WindowHamiltonian.draw(model, sectors, KEY).start
        assert isinstance(columns, kind)
        parts = [
            (i, j, columns.weighted(i, j, columns.columns(i)) @ columns.columns(j).conj().T)
            for i, j in columns.pairs
        ]
        return parts, columns.entropy()

    parts, entropy = jax.jit(program)(model)
    rho, whole = np.zeros((10, 10), complex), pieces(model).start
    rows = [sector.level * 5 + sector.bath_state for sector in sectors]
    for i, j, part in parts:
        rho[np.ix_(rows[int(i)], rows[int(j)])] = part
    if kind is LevelByLevel:
        np.testing.assert_allclose(dense(model).start, whole, rtol=0, atol=1e-15)
    if not sum(len(r) for r in rows) < 10:
        np.testing.assert_allclose(rho, whole, rtol=0, atol=1e-14)
    np.testing.assert_allclose(entropy, riera.entropy(whole), rtol=0, atol=1e-12)
    assert float(jnp.trace(rho).real) == pytest.approx(1.0, abs=1e-14)
