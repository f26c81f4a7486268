"""Work and entropy production differentiated by every number of a protocol, by every method."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from derivatives import difference

import entropax as ex

FLIP = jnp.array([[0.0, 1.0], [1.0, 0.0]])
WINDOWS = ex.WindowBath(centers=(0.0, 1.0, 2.0), volumes=(3, 4, 5), width=1.0)
LINK = ex.Coupling(FLIP, WINDOWS, strength=0.05, matrix=ex.RandomBands(variance=1.0))
IDEAL = ex.Coupling(FLIP, ex.ThermalBath(1.0, ex.OhmicSpectrum(0.3, 5.0)))
GAP = jnp.diag(jnp.array([0.0, 1.0]))
UP = jnp.array([[0.0, 0.0], [1.0, 0.0]])
JUMPS = (ex.Jump(UP, IDEAL.bath, 0.1), ex.Jump(UP.T, IDEAL.bath, 0.3))
TILTED = ex.Product(system=[[0.7, 0.2], [0.2, 0.3]])
COLD = ex.Product(system=1, beta=(1.0,))
TIGHT = {"rtol": 1e-10, "atol": 1e-12, "housekeeping": False}
METHODS = {
    "EMME": ((LINK,), COLD, ex.EMME()),
    "EMME of finite memory": ((LINK,), COLD, ex.EMME(coherences=False, memory="finite")),
    "BornMarkovSecular": ((LINK,), COLD, ex.BornMarkovSecular()),
    "Schrodinger": ((LINK,), COLD, ex.Schrodinger(key=jax.random.key(0), steps=16)),
    "Davies": ((IDEAL,), TILTED, ex.Davies(**TIGHT)),
    "Redfield": ((IDEAL,), TILTED, ex.Redfield(**TIGHT)),
    "Local": ((IDEAL,), TILTED, ex.Local(**TIGHT)),
    "Local, bare heat": ((IDEAL,), TILTED, ex.Local(heat="bare", **TIGHT)),
    "Lindblad": (JUMPS, TILTED, ex.Lindblad(**TIGHT)),
}


# All methods of a family are integrated by the same code. Its derivative backwards takes half a
# minute to compile, so one of each family goes that way, and the others forwards.
BACKWARDS = ("EMME", "Schrodinger", "Local")


@pytest.mark.parametrize("name", METHODS)
def test_every_method_differentiates_by_every_number_of_a_protocol(name: str) -> None:
    """Work and entropy production by values, the time of a bend, both ends and the duration.

    Junctions have their own test.
    """
    couplings, start, method = METHODS[name]
    if name not in BACKWARDS:
        method = eqx.tree_at(lambda m: m.adjoint, method, diffrax.ForwardMode())

    def f(values, held):
        bend, first, last, duration = held
        line = ex.PiecewiseLinear(jnp.stack([0.0, bend, 3.0]), values)
        gap = ex.Held(line, first, last, duration)
        system = {"energies": (0.0, gap)}
        if name in ("Local", "Local, bare heat", "Lindblad"):
            system = {"hamiltonian": GAP, "drives": (ex.Drive(GAP + 0.4 * FLIP, gap),)}
        model = ex.OpenSystem(couplings=couplings, start=start, **system)
        led = ex.solve(model, duration[None], method, throw=False).ledger
        sigma = led.entropy_production
        sigma = led.entropy_production_fixed if sigma is None else sigma
        return led.work[0] + 0.5 * sigma[0]

    args = (np.array([0.9, 1.3, 1.1]), np.array([0.7, 0.8, 1.3, 2.0]))
    along = (np.array([0.5, -1.0, 0.8]), np.array([0.3, 0.2, -0.7, 0.4]))

    @jax.jit
    def both(args: tuple, moved: tuple) -> tuple:
        """The value, and its derivative along a direction."""
        if name not in BACKWARDS:
            return jax.jvp(f, args, moved)
        value, gradient = jax.value_and_grad(f, argnums=(0, 1))(*args)
        return value, sum(g @ d for g, d in zip(gradient, moved, strict=True))

    for i in range(2):
        moved = tuple(d * (j == i) for j, d in enumerate(along))
        slope = both(args, moved)[1]
        central = difference(lambda *x, d=moved: both(x, d)[0], args, moved)
        np.testing.assert_allclose(slope, central, rtol=0, atol=1e-6)
        assert abs(float(central)) > 1e-2
