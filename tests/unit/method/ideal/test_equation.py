"""What master equations of ideal baths share: steady states of generators, models they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import ideal
from twins import lindblad as twin

import entropax as ex
from entropax.linalg import Stationary
from entropax.method.ideal.dissipators import JumpDissipator
from entropax.method.ideal.equation import log_of, reference_of, require_global, steady_of
from entropax.method.ideal.generators import MatrixGenerator

AT = jnp.zeros(1)


def jumping(operators: jax.Array, rates: jax.Array) -> MatrixGenerator:
    h = jnp.diag(jnp.array([0.0, 1.0]))
    return MatrixGenerator(h, (JumpDissipator(0, operators, rates, (0, 0)),), h, None, baths=1)


@jax.jit
def steady(operators: jax.Array, rates: jax.Array) -> tuple[Stationary, jax.Array, jax.Array]:
    generator = jumping(operators, rates)
    found, _ = steady_of(generator)
    return found, generator.unpack(found.x), reference_of(generator)


def test_steady_states_of_jumps_up_and_down() -> None:
    """Populations as the rates are; dephasing leaves them as they start, which is told."""
    operators = jnp.asarray([twin.LOWER, twin.LOWER.T])
    found, state, log = steady(operators, jnp.array([0.7, 0.2]))
    assert bool(found.unique)
    assert bool(found.converged)
    np.testing.assert_allclose(state, np.diag([7.0, 2.0]) / 9.0, rtol=0, atol=1e-15)
    np.testing.assert_allclose(log, np.diag(np.log([7.0 / 9.0, 2.0 / 9.0])), rtol=0, atol=1e-14)
    dephased, _, log = steady(jnp.asarray([twin.SZ, twin.SZ]), jnp.array([0.7, 0.2]))
    assert not bool(dephased.unique)
    assert np.all(np.isnan(log))


def test_what_has_negative_populations_has_no_logarithm() -> None:
    """As a steady state of Redfield's; what is negative by rounding counts as empty."""
    generator, yes = jumping(jnp.asarray([twin.LOWER, twin.LOWER.T]), jnp.ones(2)), jnp.array(True)

    @jax.jit
    def log(populations: jax.Array) -> jax.Array:
        form = generator.pack(jnp.diag(populations))
        return log_of(generator, Stationary(form, yes, yes), None)

    assert np.all(np.isnan(log(jnp.array([1.1, -0.1]))))
    found = log(jnp.array([1.0, -1e-15]))
    np.testing.assert_allclose(found, np.diag([0.0, -53 * np.log(2.0)]), rtol=1e-14, atol=1e-15)


def test_global_equations_know_no_frame() -> None:
    turning = ideal.qubit(frame=np.diag([0.0, 1.0]))
    with pytest.raises(ValueError, match="`frame` must be None for Davies, whose dissipators"):
        require_global(ex.Davies(), turning)
    require_global(ex.Davies(), ideal.qubit())
    with pytest.raises(ValueError, match="must decay at high frequencies"):
        require_global(ex.Davies(lamb_shift=True), ideal.qubit())


BAD = {
    "method of windows": (
        lambda: ex.solve(ideal.qubit(), [0.0], ex.EMME()),
        "`model` must have window baths for the method EMME, but has ideal ones",
    ),
    "method of ideal baths": (
        lambda: ex.solve(
            ideal.qubit(couplings=[ideal.window()], start=ex.Product(0, (0,))), [0.0], ex.Davies()
        ),
        "`model` must have ideal baths for the method Davies",
    ),
    "frame for Davies": (
        lambda: ex.steady_state(ideal.qubit(frame=np.diag([0.0, 1.0])), ex.Davies()),
        "`frame` must be None for Davies",
    ),
    "times before the start": (
        lambda: ex.Davies().require_times(ideal.qubit(), jnp.array([0.0, -1.0])),
        "`ts` must be non-negative for a master equation, but has -1.0 at index 1",
    ),
    "another model": (
        lambda: ex.Davies().prepare(ex.Junction(0.0, 0.0, (ex.Lead([0.1], [0.1], 1.0, 0.0),)), AT),
        "`model` must be an OpenSystem for the method Davies, but is Junction",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_with_its_rule_and_value(name: str) -> None:
    build, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        build()
