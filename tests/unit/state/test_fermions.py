"""Entropies that a state is asked for: products, stars, networks."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.fermions import Star
from cases.matrices import seeded_correlation
from rounding import entropy_rounding
from twins import textbook

from entropax.linalg import Displaced
from entropax.state import AbstractFermionState, DenseState, ProductState, StarState

LN2 = np.log(2.0)


@jax.jit
def entropies(state: AbstractFermionState) -> tuple[Any, ...]:
    """Of each bath, of all baths, of everything, of the system."""
    return (
        state.bath_entropies(),
        state.environment_entropy(),
        state.joint_entropy(),
        state.system_entropy(),
    )


NONE: dict[str, Any] = dict.fromkeys(("system_energy", "interaction_energy", "work"), jnp.zeros(()))


def test_a_product_has_the_entropy_of_its_parts() -> None:
    occupations = jnp.array([0.0, 0.5, 1.0]), jnp.array([0.5, 0.5])
    state = ProductState(system=jnp.array([[0.5]]), occupations=occupations, **NONE)
    own, environment, joint, system = entropies(state)
    np.testing.assert_allclose(own, [LN2, 2 * LN2], rtol=1e-15)
    np.testing.assert_allclose([environment, joint, system], LN2 * np.array([3, 4, 1]), rtol=1e-15)


@pytest.mark.kernels
@pytest.mark.parametrize("written_out", [True, False])
def test_a_star_knows_its_environment_by_one_direction(written_out: bool) -> None:
    """All leads together from the start and |U_da|^2 alone, against the blocks of C."""
    energies, couplings = np.array([-0.5, 0.1, 0.8]), np.array([0.3, -0.2, 0.25])
    star = Star(0.2, 0.3, ((energies, couplings, 1.3, 0.4),))
    h = star.dense()["h"]
    values, vectors = np.linalg.eigh(h)
    u = (vectors * np.exp(-1.7j * values)) @ vectors.T
    c = (u.conj() * star.start) @ u.T
    block, filling = c[1:, 1:], np.diag(c).real[1:]
    lead: Any = jnp.asarray(block)
    if not written_out:  # the head of `entropax.method.fermions.junction_exact`
        q = u[1:, 1:] @ ((star.start[0] - star.start[1:]) * couplings)
        generators = np.stack([q.conj(), u[0, 1:].conj(), couplings + 0j, c[0, 1:].conj()])
        lead = Displaced(*map(jnp.asarray, (energies, filling, generators)))
    state = StarState(
        system=jnp.asarray(c[:1, :1]),
        occupations=(jnp.asarray(filling),),
        propagator=jnp.asarray(u),
        level_row=jnp.asarray(c[0, 1:]),
        leads=(lead,),
        amplitudes=jnp.asarray(np.abs(u[0]) ** 2),
        start=jnp.asarray(star.start),
        **NONE,
    )
    np.testing.assert_allclose(jax.jit(lambda s: s.blocks[0])(state), block, rtol=0, atol=1e-13)
    own, environment, joint, _ = entropies(state)
    entropy = textbook.gaussian_entropy(block)
    np.testing.assert_allclose([own[0], environment], entropy, rtol=0, atol=entropy_rounding(4))
    start = float(np.sum(textbook.binary_entropy(star.start)))
    assert float(joint) == pytest.approx(start, abs=1e-14)


def test_energies_of_baths_move_as_their_traces_do() -> None:
    """The value is the sum over modes, the derivative that of tr h C."""
    energies, n = (jnp.array([1.0, 1.0]),), (jnp.array([0.25, 0.5]),)

    def energy(trace: jax.Array, scale: jax.Array) -> jax.Array:
        state = DenseState(
            system=jnp.eye(1),
            occupations=(scale * n[0],),
            propagator=jnp.eye(3) + 0j,
            correlation=jnp.eye(3),
            traces=(trace,),
            baths=((1, 2),),
            **NONE,
        )
        return state.bath_energies(energies)[0]

    value, slopes = jax.value_and_grad(energy, argnums=(0, 1))(jnp.array(9.0), jnp.array(1.0))
    assert float(value) == 0.75
    assert tuple(map(float, slopes)) == (1.0, 0.0)


@pytest.mark.kernels
def test_a_network_takes_blocks_of_its_matrix() -> None:
    c = seeded_correlation(4, 3)
    state = DenseState(
        system=jnp.asarray(c[2:3, 2:3]),
        occupations=(),
        propagator=jnp.eye(4) + 0j,
        correlation=jnp.asarray(c),
        traces=(),
        baths=((0, 3), (1,)),
        **NONE,
    )
    own, *others = entropies(state)
    expected = [textbook.gaussian_entropy(c[np.ix_(bath, bath)]) for bath in state.baths]
    np.testing.assert_allclose(own, expected, rtol=0, atol=entropy_rounding(4))
    wholes = [c[np.ix_((0, 3, 1), (0, 3, 1))], c, c[2:3, 2:3]]
    expected = [textbook.gaussian_entropy(whole) for whole in wholes]
    np.testing.assert_allclose(others, expected, rtol=0, atol=entropy_rounding(4))
