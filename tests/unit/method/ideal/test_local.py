"""What `Local` and `Lindblad` decide before their programs are compiled, and what they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import ideal
from twins import lindblad as twin

import entropax as ex

AT = jnp.zeros(1)


def test_transitions_of_a_frequency_are_one_jump() -> None:
    """Two of each qubit, whatever their interaction; two of both together, if these are alike."""
    local = ex.Local().equation(ex.machines.heat_valve(), AT)
    assert local.counts == (2, 2)
    both = twin.on_site(twin.SX, 0, 2) + twin.on_site(twin.SX, 1, 2)
    alike = ideal.qubit(energies=(0.0, 1.0, 1.0, 2.0), couplings=[ex.Coupling(both, ideal.BATH)])
    local = ex.Local().equation(alike, AT)
    assert local.counts == (2,)
    (labels,) = local.labels
    # numbered by the energy given to the bath; what is no jump has no number
    expected = [[-1, 1, 1, -1], [0, -1, -1, 1], [0, -1, -1, 1], [-1, 0, 0, -1]]
    np.testing.assert_array_equal(labels, expected)


def test_structure_is_looked_for_where_one_decomposition_is_too_large() -> None:
    """Of a chain of six qubits: sectors by the number of excitations, and nothing is conserved."""
    small = ex.machines.spin_chain(2)
    assert ex.Local().steady_equation(small).structure is None
    assert not ex.Local().steady_equation(small).conserves_nothing
    large = ex.Local().steady_equation(ex.machines.spin_chain(6))
    assert large.conserves_nothing
    sizes = sorted(len(block) for block in large.structure.blocks.members)
    assert sizes == [1, 1, 6, 6, 15, 15, 20]


def test_a_frame_commutes_with_the_bare_hamiltonian() -> None:
    crooked = ideal.qubit(frame=twin.SX)
    with pytest.raises(ValueError, match="`frame` must commute with the bare Hamiltonian, but"):
        ex.Local().equation(crooked, AT)
    ex.Local().equation(ideal.qubit(frame=np.diag([0.0, 3.0])), AT)


def test_many_levels_must_be_known_beforehand() -> None:
    def decide(gap: jax.Array) -> jax.Array:
        couplings = [ex.Coupling(np.ones((41, 41)), ideal.BATH)]
        ex.Local().equation(ideal.qubit(energies=gap * np.arange(41.0), couplings=couplings), AT)
        return gap

    with pytest.raises(ValueError, match="known before the program is compiled above 40 levels"):
        jax.eval_shape(decide, jnp.array(1.0))


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
