"""U of a star applied without being written out."""

import jax.numpy as jnp
import numpy as np

import entropax as ex
from entropax.counting.star import Star, Weighted, nodes_of
from entropax.linalg.cauchy_like import equal_columns
from entropax.state.fermions import as_matrix


def star() -> tuple[Star, np.ndarray]:
    leads = [ex.Lead.flat(modes=m, width=4.0, coupling=0.8, beta=1.0, mu=0.0) for m in (5, 5)]
    junction = ex.Junction(0.3, 0.0, leads)
    u = ex.solve(junction, [2.5], save=lambda state: state.propagator).saved
    u = type(u)(*(leaf[0] for leaf in vars(u).values()))
    columns = equal_columns(np.asarray(nodes_of(u.energies)), 1e-12)
    return Star.of(u, junction.fixed_level, jnp.asarray(columns)), np.asarray(as_matrix(u))


def test_products_are_those_of_the_matrix() -> None:
    fast, u = star()
    np.testing.assert_allclose(u @ u.conj().T, np.eye(11), rtol=0, atol=1e-13)
    rng = np.random.default_rng(1)
    v = rng.normal(size=(2, 11)) + 1j * rng.normal(size=(2, 11))
    np.testing.assert_allclose(fast.times(v), v @ u.T, rtol=0, atol=1e-13)
    np.testing.assert_allclose(fast.back(v), v @ u.conj(), rtol=0, atol=1e-13)


def test_brackets_are_those_of_the_matrix() -> None:
    fast, u = star()
    rng = np.random.default_rng(2)
    b, g = rng.normal(size=(2, 3, 11)) + 1j * rng.normal(size=(2, 3, 11))
    parts = Weighted(jnp.asarray(b[:, :11]), None), Weighted(jnp.asarray(g), jnp.asarray(b * g))
    found = fast.brackets(parts).matrix()
    for k in range(3):
        expected = np.diag(b[k]) + g[k][:, None] * (u.conj().T @ ((b * g)[k][:, None] * u))
        np.testing.assert_allclose(found[k], expected, rtol=0, atol=1e-12)


def test_the_level_is_where_no_mode_is() -> None:
    nodes = nodes_of(jnp.array([-1.0, 3.0]))
    np.testing.assert_array_equal(nodes, [4.0, -1.0, 3.0])
