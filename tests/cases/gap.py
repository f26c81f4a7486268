"""A two-level system whose gap follows a protocol with seven numbers, and slopes by all of them."""

from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from derivatives import difference

import entropax as ex

FLIP = jnp.array([[0.0, 1.0], [1.0, 0.0]])
GAP = jnp.diag(jnp.array([0.0, 1.0]))


def check_slopes_by_a_protocol(
    couplings: tuple, start: Any, method: Any, *, tilted: bool = False, backwards: bool
) -> None:
    """Work and entropy production by values, the time of a bend, both ends and the duration.

    `tilted`: the drive turns the eigenvectors too. `backwards`: by reverse mode, which takes half a
    minute to compile through a solver, instead of forward mode.
    """
    if not backwards:
        method = eqx.tree_at(lambda m: m.adjoint, method, diffrax.ForwardMode())

    def f(values, held):
        bend, first, last, duration = held
        line = ex.PiecewiseLinear(jnp.stack([0.0, bend, 3.0]), values)
        gap = ex.Held(line, first, last, duration)
        system = {"energies": (0.0, gap)}
        if tilted:
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
        if not backwards:
            return jax.jvp(f, args, moved)
        value, gradient = jax.value_and_grad(f, argnums=(0, 1))(*args)
        return value, sum(g @ d for g, d in zip(gradient, moved, strict=True))

    for i in range(2):
        moved = tuple(d * (j == i) for j, d in enumerate(along))
        slope = both(args, moved)[1]
        central = difference(lambda *x, d=moved: both(x, d)[0], args, moved)
        np.testing.assert_allclose(slope, central, rtol=0, atol=1e-6)
        assert abs(float(central)) > 1e-2
