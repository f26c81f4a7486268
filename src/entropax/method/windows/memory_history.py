r"""The memory of driven baths: $G(t) = \int_0^t \lambda(t-\tau)\,h(\tau)\,e^{i\phi}\,d\tau$.

$\phi = \int_{t-\tau}^t\Omega$ is what a transition has turned by since. The correlation function of
two windows is the transform of the triangle that their levels' distances form,
$h(\tau) = \frac{\delta}{2\pi}\int_{-1}^1(1-|y|)\,e^{iy\delta\tau}\,dy$, so that

$$ G = \frac{\delta}{2\pi}\sum_m w_m\,g_m, \qquad
   \dot g_m = i(\Omega + y_m\delta)\,g_m + \lambda, $$

with Gauss' rule for each half of the triangle: exact to rounding up to a time that grows with the
number of nodes, and for any course of strengths and energies.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

_LEAST, _PER_TIME = 16, 0.3
"""Nodes of half a triangle: so many, and so many more in units of the latest time times width."""


def nodes_until(reach: float) -> int:
    """How many nodes half a triangle needs, up to a time of `reach` in units of 1/width."""
    return _LEAST + int(np.ceil(_PER_TIME * reach))


def reach_of(nodes: int) -> float:
    """The latest time, in units of 1/width, that so many nodes are enough for."""
    return (nodes - _LEAST) / _PER_TIME


def _rule(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """The y and the w of both halves."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    y, w = 0.5 * (x + 1.0), 0.5 * w * (1.0 - 0.5 * (x + 1.0))
    return np.concatenate([-y, y]), np.concatenate([w, w])


def begin_history(shape: Sequence[int], nodes: int) -> Float[Array, "2 *shape nodes"]:
    """The g at time 0, real and imaginary parts."""
    return jnp.zeros((2, *shape, 2 * nodes))


def history_rate(
    history: Float[Array, "2 d d w w nodes"],
    offsets: Float[Array, "d d w w"],
    width: Float[Array, ""],
    strength: Float[Array, ""],
) -> Float[Array, "2 d d w w nodes"]:
    """Rates of change of the g; `offsets`: Omega in units of the width."""
    y, _ = _rule(history.shape[-1] // 2)
    turning = width * (offsets[..., None] + y)
    real, imaginary = history
    return jnp.stack([strength - turning * imaginary, turning * real])


def memory_of(
    history: Float[Array, "2 d d w w nodes"], width: Float[Array, ""]
) -> Complex[Array, "d d w w"]:
    """G."""
    _, w = _rule(history.shape[-1] // 2)
    real, imaginary = history @ (width / (2.0 * jnp.pi) * w)
    return jax.lax.complex(real, imaginary)
