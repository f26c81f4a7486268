"""Matrix products faster than those that XLA makes by itself."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Inexact

from entropax._crossovers import PRODUCTS_AS_THEY_ARE


def complex_matmul(a: Inexact[Array, "n m"], b: Inexact[Array, "m k"]) -> Inexact[Array, "n k"]:
    """The product a b; of large complex matrices by three real ones, in 0.6 of the time on a CPU.

    Entries are right to rounding of the largest terms, real and imaginary part alike.
    """
    n, m = a.shape
    if (
        not (jnp.iscomplexobj(a) and jnp.iscomplexobj(b))
        or n * m * b.shape[1] < PRODUCTS_AS_THEY_ARE.here
    ):
        return a @ b
    both = (a.real + a.imag) @ b.real
    real = both - a.imag @ (b.real + b.imag)
    return jax.lax.complex(real, both + a.real @ (b.imag - b.real))
