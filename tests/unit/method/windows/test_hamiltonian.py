"""What is driven, and the Hamiltonian that it makes in every sector."""

import jax
import jax.numpy as jnp
import numpy as np
from cases.windows import KEY, SX, pieces, spin

import entropax as ex
from entropax.method.windows.hamiltonian import Controls, WindowHamiltonian, switched_couplings
from entropax.method.windows.sectors import find_sectors


def switched() -> ex.OpenSystem:
    bath = ex.WindowBath((0.0, 1.0), (2, 3), width=0.5)
    jump = ex.PiecewiseConstant((1.0,), (0.2, 0.5))
    couplings = (
        ex.Coupling(SX, bath, 0.1, ex.RandomBands()),
        ex.Coupling(np.diag([1.0, -0.4]), bath, jump, ex.GOE(0.3)),
    )
    drive = ex.Drive(SX, ex.PiecewiseConstant((1.0,), (0.0, 0.3)))
    return ex.OpenSystem((0.0, 1.0), couplings, ex.Product(1, windows=(0,)), drives=(drive,))


def test_controls_of_a_moment() -> None:
    model = switched()
    assert switched_couplings(model) == (1,)
    controls = Controls.of(model.at(jnp.array(2.0)), (1,))
    np.testing.assert_array_equal(controls.matrix, [[0.0, 0.3], [0.3, 1.0]])
    np.testing.assert_array_equal(controls.strengths, [0.5])
    bare = Controls.of(spin(), ())
    np.testing.assert_array_equal(bare.system, [0.0, 1.0])
    change = controls - Controls(jnp.array([0.0, 1.0]), jnp.array([0.2]))
    np.testing.assert_allclose(change.matrix, [[0.0, 0.3], [0.3, 0.0]], rtol=0, atol=1e-16)
    np.testing.assert_allclose(change.strengths, [0.3], rtol=0, atol=1e-16)


def test_the_hamiltonian_of_a_moment_is_that_of_everything() -> None:
    model = switched()
    sectors, parts = find_sectors(model), pieces(model)
    assert len(sectors) == 1

    def program(model: ex.OpenSystem, time: jax.Array) -> tuple:
        setting = WindowHamiltonian.draw(model, sectors, KEY)
        return setting.under(Controls.of(model.at(time), (1,)))

    for time in (0.5, 2.0):
        (h,) = jax.jit(program)(model, jnp.array(time))
        rows = sectors[0].level * 5 + sectors[0].bath_state
        expected = parts.hamiltonian(time)[np.ix_(rows, rows)]
        np.testing.assert_allclose(h, expected, rtol=0, atol=1e-14)
