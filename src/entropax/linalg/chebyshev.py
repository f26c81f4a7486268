r"""$e^{-i\tau A}v$ from products $A\,v$ alone: the Chebyshev expansion of the exponential.

With $A = c + R\,B$ and $\|B\| \le 1$, $z = R\tau$ (Tal-Ezer, Kosloff 1984),

$$ e^{-i\tau A} = e^{-i\tau c} \sum_{k=0}^{n-1} c_k(z)\,T_k(B), \qquad
   c_k = (2-\delta_{k0})(-i)^k J_k(z). $$

Terms fall faster than any exponential once k is above z: what is left out is below rounding, and so
is what is not unitary.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

_LEFT_OUT = 1e-17
"""The first term that is left out is below this."""


def _angle_of(terms: int) -> float:
    """The largest z for which the term after so many is small: $(z/2)^n/n!$ bounds $J_n(z)$."""
    return 2.0 * math.exp((math.log(_LEFT_OUT) + math.lgamma(terms + 1.0)) / terms)


_TOGETHER = 4
"""Pairs of terms that are made, or left out, together."""

_MOST = 4096
_ANGLES = np.array([_angle_of(terms) for terms in range(1, _MOST)])


LARGEST_ANGLE = float(_ANGLES[-1])
"""The largest angle that is expanded."""


def terms_for(angle: float) -> int:
    """How many terms an angle z needs: an even number."""
    terms = 1 + int(np.searchsorted(_ANGLES, angle))
    return terms + terms % 2


def terms_needed(angle: Float[Array, "*shape"], most: int) -> Int[Array, "*shape"]:
    """The same where angles are traced, of at most so many."""
    return 1 + jnp.searchsorted(jnp.asarray(_ANGLES[: most - 1]), angle)


def largest_angle(terms: int) -> float:
    """The largest angle that so many terms are enough for."""
    return float(_ANGLES[terms - 1])


def chebyshev_coefficients(
    angle: Float[Array, "*shape"], terms: int
) -> Float[Array, "*shape {terms}"]:
    r"""$c_k(z)$ of even k and $i\,c_k$ of odd ones, which are real, by a discrete cosine transform
    that is exact to rounding.
    """
    nodes = np.pi * (np.arange(2 * terms) + 0.5) / (2 * terms)
    weights = np.cos(np.outer(nodes, np.arange(terms))) / terms
    weights[:, 0] *= 0.5
    turned = angle[..., None] * np.cos(nodes)
    # of the cosine what it is below 1: steps of one angle must not all be off by the same rounding
    even = (-2.0 * jnp.sin(0.5 * turned) ** 2) @ weights[:, ::2]
    even, odd = even.at[..., 0].add(1.0), jnp.sin(turned) @ weights[:, 1::2]
    return jnp.stack([even, odd], axis=-1).reshape(*angle.shape, terms)


def times_i(x: Float[Array, "*shape 2 n"]) -> Float[Array, "*shape 2 n"]:
    """i x, of real and imaginary parts along the last axis but one."""
    real, imaginary = x[..., 0, :], x[..., 1, :]
    return jnp.stack([-imaginary, real], axis=-2)


def chebyshev_sum(
    apply: Callable[[Array], Array],
    x: Float[Array, "*shape 2 n"],
    coefficients: Float[Array, " terms"],
    needed: Int[Array, ""] | None = None,
) -> Float[Array, "*shape 2 n"]:
    r"""$\sum_k c_k T_k(B)\,x$, where `apply` is B, of an even number of terms; real and imaginary
    parts lie along the last axis but one: the terms of a real matrix are real for real x.

    Of the terms only those `needed` are made. In reverse mode two arrays a pair of terms are kept.
    """
    second = apply(x)
    c = coefficients.reshape(-1, 2)
    start = x, second, c[0, 0] * x, c[0, 1] * second

    def more(carry: tuple[Array, ...], c: Array) -> tuple[Array, ...]:
        before, last, even, odd = carry
        third = 2.0 * apply(last) - before
        fourth = 2.0 * apply(third) - last
        return third, fourth, even + c[0] * third, odd + c[1] * fourth

    def several(carry: tuple[Array, ...], c: Array) -> tuple[Array, ...]:
        return jax.lax.scan(lambda carry, c: (more(carry, c), None), carry, c)[0]

    def where_needed(carry: tuple[Array, ...], block: tuple[Array, Array]):
        number, c = block
        return jax.lax.cond(
            number < jnp.asarray(needed), several, lambda carry, _: carry, carry, c
        ), None

    if needed is None:
        even, odd = several(start, c[1:])[2:]
    else:
        blocks = jnp.pad(c[1:], ((0, (1 - c.shape[0]) % _TOGETHER), (0, 0)))
        blocks = blocks.reshape(-1, _TOGETHER, 2)
        numbers = 2 + 2 * _TOGETHER * jnp.arange(blocks.shape[0])
        even, odd = jax.lax.scan(where_needed, start, (numbers, blocks))[0][2:]
    return even - times_i(odd)
