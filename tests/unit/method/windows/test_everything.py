"""H on a tensor, factor by factor, against its matrix."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.matrices import random_hermitian
from cases.windows import KEY, pieces

import entropax as ex
from entropax.method.windows.everything import Everything, as_complex, as_parts, system_first
from entropax.method.windows.hamiltonian import Controls
from entropax.method.windows.sectors import find_sectors

RNG = np.random.default_rng(5)
COMPLEX, REAL = random_hermitian(RNG, 6), random_hermitian(RNG, 5).real
STARTS = {
    "window": ex.Product(1, windows=(0, 1)),
    "ket": ex.JointState(np.full(90, 90**-0.5)),
}


def built(start: Any) -> ex.OpenSystem:
    """Three levels, a complex and a real coupling to two baths, the second one driven."""
    first = ex.WindowBath((0.0, 1.0), (2, 4), width=0.5)
    second = ex.WindowBath((0.0, 0.7), (3, 2), width=0.5)
    switch = ex.PiecewiseConstant((1.0,), (0.3, 0.1))
    couplings = (
        ex.Coupling(random_hermitian(np.random.default_rng(6), 3), first, 0.2, COMPLEX),
        ex.Coupling(np.diag([1.0, 0.0, -1.0]), second, switch, REAL),
    )
    mixing = random_hermitian(np.random.default_rng(7), 3)
    return ex.OpenSystem((0.0, 1.0, 1.7), couplings, start, interaction=mixing)


@pytest.mark.parametrize("name", ["window", "ket"])
def test_products_and_means_are_those_of_the_matrix(name: str) -> None:
    model = built(STARTS[name])
    sectors, parts = find_sectors(model), pieces(model)

    @jax.jit
    def program(model: ex.OpenSystem) -> tuple:
        everything = Everything.draw(model, sectors, KEY)
        controls = Controls.of(model.at(jnp.array(0.5)), (1,))
        x = everything.begin()
        moved = everything.times(controls, x)
        seen = everything.observe(controls, moved)  # a state of no norm 1 will do
        weighted = everything.start.weighted(moved)
        kets = system_first(moved), system_first(weighted), system_first(x)
        return kets, seen, everything.forces(moved), everything.span(controls)

    (moved, weighted, x), seen, forces, (middle, reach) = program(model)
    h, size = parts.hamiltonian(0.5), 90
    columns = np.asarray(x).reshape(size, -1)
    np.testing.assert_allclose(np.reshape(moved, (size, -1)), h @ columns, rtol=0, atol=1e-12)
    rho = np.reshape(weighted, (size, -1)) @ np.reshape(moved, (size, -1)).conj().T
    np.testing.assert_allclose(rho, h @ parts.start @ h, rtol=0, atol=1e-11)
    system = np.einsum("kaqa->kq", rho.reshape(3, 30, 3, 30))
    np.testing.assert_allclose(seen.system, system, rtol=0, atol=1e-11)
    np.testing.assert_allclose(forces[0], system, rtol=0, atol=1e-11)
    mean = np.trace(rho @ parts.couplings[1]).real
    np.testing.assert_allclose(forces[1], [mean], rtol=0, atol=1e-11)
    couplings = 0.2 * parts.couplings[0] + 0.3 * parts.couplings[1]
    np.testing.assert_allclose(seen.interaction, np.trace(rho @ couplings).real, rtol=0, atol=1e-10)
    flow = np.diagonal(-1j * (h @ rho - rho @ h)).real
    np.testing.assert_allclose(seen.flow.sum(), flow.sum(), rtol=0, atol=1e-10)
    np.testing.assert_allclose(
        seen.flow.sum((1, 2)), flow.reshape(3, 30).sum(1), rtol=0, atol=1e-10
    )
    energies = np.linalg.eigvalsh(h)
    assert float(middle - reach) <= energies[0] <= energies[-1] <= float(middle + reach)


def test_parts_of_complex_numbers_go_both_ways(rng: np.random.Generator) -> None:
    z = jnp.asarray(rng.normal(size=(2, 3)) + 1j * rng.normal(size=(2, 3)))
    np.testing.assert_array_equal(as_complex(as_parts(z)), z)
