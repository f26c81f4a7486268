"""Cumulants, generating functions and laws of variables that are known."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from entropax.counting import AbstractCounting, law


class Poisson(AbstractCounting):
    """`step` times a Poissonian number of the mean `rate` times t."""

    ts: Array
    rate: Array
    step: Array
    is_whole: bool = eqx.field(static=True)
    what: str = eqx.field(static=True, default="jumps")

    def mean_and_variance(self) -> tuple[Array, Array]:
        mean = self.step * self.rate * self.ts
        return mean, self.step * mean

    @property
    def spread(self) -> Array:
        return jnp.abs(self.step)

    def logs(self, u: Array) -> Array:
        # turns are lost, as those of a determinant
        logs = self.rate * self.ts * jnp.expm1(self.step * u)
        return logs.real + 1j * jnp.angle(jnp.exp(1j * logs.imag))


TS = jnp.array([0.0, 0.01, 3.0, 400.0])


@pytest.mark.parametrize("step", [1.0, 0.2, -3.0])
def test_cumulants_of_a_poissonian(step: float) -> None:
    count = Poisson(TS, jnp.array(1.3), jnp.array(step), step == 1.0)
    expected = step ** np.arange(1, 7)[:, None] * 1.3 * TS
    np.testing.assert_allclose(count.cumulants(6), expected, rtol=1e-9, atol=1e-11)
    assert count.cumulants(1).shape == (1, 4)


def test_a_turn_that_is_lost_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a circle whose points lie turns apart no branch of the logarithm can be followed."""
    monkeypatch.setattr(law, "_TURNS", 1e9)
    count = Poisson(jnp.array([400.0]), jnp.array(1.3), jnp.array(1.0), True)
    with pytest.raises(ValueError, match=r"`order` must be lower than 3: .* 0\.0 digits are left"):
        count.cumulants(3)


def test_slopes_of_a_cumulant() -> None:
    def third(rate: Array) -> Array:
        return Poisson(TS, rate, jnp.array(0.5), False).cumulants(3)[2, 2]

    np.testing.assert_allclose(jax.grad(third)(jnp.array(1.3)), 0.125 * 3.0, rtol=1e-10)


def test_the_law_of_a_poissonian() -> None:
    count = Poisson(jnp.array([3.0]), jnp.array(1.3), jnp.array(1.0), True)
    law = count.distribution()
    values = np.arange(12)
    p = law.probabilities[0, np.searchsorted(law.values, values)]
    factorials = np.cumprod(np.maximum(values, 1.0))
    np.testing.assert_allclose(p, np.exp(-3.9) * 3.9**values / factorials, rtol=0, atol=1e-15)
    smooth = count.distribution(width=0.1)
    assert float(smooth.width) == 0.1
    peaks = smooth.density[0, [int(np.argmin(np.abs(smooth.values - v))) for v in (2.0, 3.0)]]
    expected = np.exp(-3.9) * np.array([3.9**2 / 2, 3.9**3 / 6]) / (0.1 * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(peaks, expected, rtol=0.02)


def test_generating_functions_keep_the_shape_of_u() -> None:
    count = Poisson(TS, jnp.array(1.3), jnp.array(1.0), True)
    assert count.generating(np.zeros((2, 3))).shape == (2, 3, 4)
    assert not jnp.iscomplexobj(count.generating(0.1))
    assert jnp.iscomplexobj(count.generating(0.1j))
    assert "jumps, 4 times" in repr(count)


def test_bad_input() -> None:
    count = Poisson(TS, jnp.array(1.3), jnp.array(1.0), True)
    with pytest.raises(ValueError, match=r"`u` must be smaller in size: <exp\(u x\)> is exp"):
        count.generating(3.0)
    with pytest.raises(ValueError, match="`points` must be given where a program traces"):
        jax.jit(lambda rate: Poisson(TS, rate, jnp.array(1.0), True).distribution())(jnp.ones(()))
    still = Poisson(TS[:1], jnp.array(1.3), jnp.array(0.5), False)
    with pytest.raises(ValueError, match="`width` must be given, and positive"):
        still.distribution()
