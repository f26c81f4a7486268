"""One program for things of one shape."""

import jax
import jax.numpy as jnp
import numpy as np

from entropax._batching import vmap_by_shape


def test_each_is_a_loop_in_order() -> None:
    """Of mixed shapes and kinds, and its derivative."""

    def function(x: jax.Array, pair: dict) -> jax.Array:
        return jnp.sum(x**2) * jnp.cos(pair["a"])

    rng = np.random.default_rng(2)
    xs = [rng.normal(size=n) for n in (3, 2, 3, 1, 2)]
    pairs = [{"a": value} for value in (0.1, 0.2, 0.3, 0.4, 0.5)]
    expected = [np.sum(x**2) * np.cos(pair["a"]) for x, pair in zip(xs, pairs, strict=True)]

    def stacked(xs: list) -> jax.Array:
        return jnp.stack(vmap_by_shape(function, xs, pairs))

    np.testing.assert_allclose(jax.jit(stacked)(xs), expected, rtol=1e-15)
    slopes = jax.jit(jax.grad(lambda xs: jnp.sum(stacked(xs))))(xs)
    for slope, x, pair in zip(slopes, xs, pairs, strict=True):
        np.testing.assert_allclose(slope, 2.0 * x * np.cos(pair["a"]), rtol=1e-14)
    assert vmap_by_shape(function, [], []) == []


def test_alike_members_share_one_copy_in_the_program() -> None:
    """Four members of two kinds: the function is traced twice, whatever their order."""
    traced = []

    def function(x: jax.Array, y: jax.Array) -> dict[str, jax.Array]:
        traced.append(jnp.shape(x))
        return {"sum": jnp.sum(x) + y, "first": x[0]}

    xs = [jnp.arange(n, dtype=float) + 1.0 for n in (2, 3, 2, 3)]
    found = vmap_by_shape(function, xs, [10.0, 20.0, 30.0, 40.0])
    assert traced == [(2,), (3,)]
    assert [float(x["sum"]) for x in found] == [13.0, 26.0, 33.0, 46.0]
    # of the same shape but another kind: integers are not made real
    kinds = vmap_by_shape(lambda x: 2 * x, [jnp.array(1), jnp.array(1.5), jnp.array(2)])
    assert [x.dtype.kind for x in kinds] == ["i", "f", "i"]
    assert [float(x) for x in kinds] == [2.0, 3.0, 4.0]
