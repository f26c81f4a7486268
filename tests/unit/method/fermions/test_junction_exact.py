"""The structure of a star-shaped Hamiltonian: where it holds, and the state it gives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.fermions import TIMES, Star, junction, lead
from twins import ledgers, textbook

from entropax.method.fermions.junction_exact import StarEvolution, is_crowded, product_state

COUPLINGS = np.array([0.3, -0.2, 0.25])


def star(energies: list[float]) -> Star:
    leads = (
        (np.array(energies), COUPLINGS, 1.3, 0.4),
        (np.array([0.9]), np.array([0.4]), 0.6, 0.0),
    )
    return Star(0.2, 0.3, leads)


@pytest.mark.parametrize(
    ("leads", "crowded"),
    [
        (((0.0, 1.0, 2.0),), False),
        (((0.0, 1.0, 1.0),), True),  # equal within a lead
        (((0.0, 1.0, 1.0 + 1e-6),), True),  # closer than 1e-5 of the band
        (((0.0, 1.0, 1.0 + 1e-3),), False),
        (((0.0, 1.0, 2.0), (0.5, 1.0, 1.5)), False),  # equal across leads: one pole
        (((0.0, 1.0, 2.0), (0.5, 1.0 + 1e-12, 1.5)), True),  # nearly equal across leads
        (((0.0, 1.0, 2.0), (0.5, 1.0 + 1e-7, 1.5)), False),
        (((0.4,),), False),
    ],
)
def test_where_energies_nearly_meet(leads: tuple, crowded: bool) -> None:
    built = [lead(energies=energies, couplings=[0.1] * len(energies)) for energies in leads]
    model = junction(leads=built)
    assert is_crowded(model) is crowded
    assert bool(jax.jit(is_crowded)(model)) is crowded


@pytest.mark.parametrize(("size", "crowded"), [(1e2, False), (1e4, True)])
def test_where_couplings_are_large_beside_gaps(size: float, crowded: bool) -> None:
    """Entries of a lead are off by (coupling/gap)^2 rounding."""
    model = junction(leads=[lead(energies=[0.0, 1.0, 2.0], couplings=[size] * 3)])
    assert is_crowded(model) is crowded
    assert bool(jax.jit(is_crowded)(model)) is crowded


def test_the_start_is_a_product() -> None:
    model = junction(leads=(lead(occupations=[0.0, 0.5, 1.0]),))
    state = product_state(model)
    assert float(state.system_energy) == pytest.approx(0.1 * 0.2, rel=1e-15)
    assert float(state.interaction_energy) == float(state.work) == 0.0
    np.testing.assert_array_equal(state.occupations[0], [0.0, 0.5, 1.0])


@pytest.mark.kernels
@pytest.mark.parametrize("crowded", [False, True], ids=["structured", "dense"])
def test_states_are_those_of_the_dense_twin(crowded: bool) -> None:
    """Level, rows, blocks, energies and the weights of the initial sites at one time."""
    example, t = star([-0.5, 0.1, 0.8]), float(TIMES[0])
    dense = example.dense()

    @jax.jit
    def program(time: jax.Array):
        evolution = StarEvolution(is_crowded=crowded)
        return evolution.states(example.model(), time)(time)

    state, c = program(jnp.asarray(t)), textbook.correlation(dense["h"], dense["c0"], t)
    ledgers.assert_same_state(state, c, dense["baths"], 1e-13)
    assert float(state.system_energy) == pytest.approx(0.2 * c[0, 0].real, abs=1e-13)
    between = 2.0 * np.sum(dense["h"][0, 1:] * c[0, 1:].real)
    assert float(state.interaction_energy) == pytest.approx(between, abs=1e-13)
    assert float(jnp.sum(state.amplitudes)) == pytest.approx(1.0, abs=1e-13)
    assert float(state.amplitudes @ example.start) == pytest.approx(c[0, 0].real, abs=1e-13)
