"""Local and hand-written equations: jumps of the bare levels, frames, misuse."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import ideal
from twins import lindblad as twin

import entropax as ex
from entropax.method.ideal.dissipators import JumpDissipator
from entropax.method.ideal.local import acting

AT = jnp.zeros(1)


@eqx.filter_jit
def jumps(method: ex.Local, model: ex.OpenSystem) -> tuple[JumpDissipator, ...]:
    return method.generator(model).dissipators


def test_jumps_are_those_of_the_bare_levels() -> None:
    """Up and down of each qubit, one jump operator for a frequency, whatever the interaction."""
    model = ex.machines.heat_valve()
    local = ex.Local().prepare(model, AT)
    assert local.counts == (2, 2)
    for part, site in zip(jumps(local, model), (0, 1), strict=True):
        lower = twin.on_site(twin.LOWER, site, 2)
        up, down = np.asarray(part.operators)
        np.testing.assert_array_equal(down, lower)
        np.testing.assert_array_equal(up, lower.T)
        bath, gap = model.baths[site], (1.0, 0.6)[site]
        n = 1.0 / np.expm1(float(bath.beta) * gap)
        np.testing.assert_allclose(part.rates, [0.1 * n, 0.1 * (1 + n)], rtol=1e-13)


def test_one_jump_for_all_transitions_of_a_frequency() -> None:
    """Two like qubits that feel one noise jump together: sigma_- and sigma_+ of their sum.

    At zero temperature nothing lifts them, and that jump does not act.
    """
    both = twin.on_site(twin.SX, 0, 2) + twin.on_site(twin.SX, 1, 2)
    lower = np.triu(both)
    model = ideal.qubit(
        energies=(0.0, 1.0, 1.0, 2.0),
        couplings=[ex.Coupling(both, ex.ThermalBath(jnp.inf, ideal.OHMIC))],
    )
    local = ex.Local().prepare(model, AT)
    assert local.counts == (2,)
    (part,) = jumps(local, model)
    np.testing.assert_array_equal(part.operators, [lower.T, lower])
    np.testing.assert_allclose(part.rates, [0.0, 0.3 * np.exp(-0.2)], rtol=1e-14)
    np.testing.assert_array_equal(acting(part), [np.zeros((4, 4)), lower])


def test_a_frame_commutes_with_the_bare_hamiltonian() -> None:
    crooked = ideal.qubit(frame=twin.SX)
    with pytest.raises(ValueError, match="`frame` must commute with the bare Hamiltonian, but"):
        ex.Local().require(crooked)
    ex.Local().require(ideal.qubit(frame=np.diag([0.0, 3.0])))


def test_many_levels_must_be_known_beforehand() -> None:
    def prepare(gap: jax.Array) -> jax.Array:
        couplings = [ex.Coupling(np.ones((41, 41)), ideal.BATH)]
        ex.Local().prepare(ideal.qubit(energies=gap * np.arange(41.0), couplings=couplings), AT)
        return gap

    with pytest.raises(ValueError, match="known before the program is compiled above 40 levels"):
        jax.eval_shape(prepare, jnp.array(1.0))


BAD = {
    "couplings for Lindblad": (
        lambda: ex.steady_state(ideal.qubit(), ex.Lindblad()),
        r"`couplings\[0\]` must be a Jump for Lindblad",
    ),
    "heat": (lambda: ex.Local(heat="x"), '`heat` must be "full" or "bare"'),
    "local shift of coupled sites": (
        lambda: ex.steady_state(
            ideal.qubit_at(ex.ThermalBath(1.0, ideal.OHMIC), interaction=0.1 * twin.SX),
            ex.Local(lamb_shift=True),
        ),
        "`lamb_shift` must be False for Local where sites interact",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_with_its_rule_and_value(name: str) -> None:
    build, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        build()
