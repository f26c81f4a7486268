"""Sites that are filled and measured together, and functions of what they are filled with."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact, Int

from entropax.counting.kinds import FLOOR
from entropax.linalg import Exponential, SpectralFunction, matfn

OCCUPATION = 1e-17
"""An occupation that was computed is known to this."""

Numbers = Array | complex | float


class _Slope(SpectralFunction):
    """The derivative of a spectral function, by JAX."""

    of: SpectralFunction

    def value(self, x: Array) -> Array:
        return jax.jvp(self.of.value, (x,), (jnp.ones_like(x),))[1]

    def derivative(self) -> "_Slope":
        return _Slope(self)

    def length_scale(self, low: Array, high: Array) -> Array:
        return self.of.length_scale(low, high)


class Occupied(SpectralFunction):
    r"""$n^p(1-n)^q$, or with `is_log` $p\ln n + q\ln(1-n)$, of a thermal n as a function of energy,
    or of n itself where there is no `beta`.
    """

    p: Numbers
    q: Numbers
    beta: Float[Array, ""] | None
    mu: Float[Array, ""] | None
    floor: float = eqx.field(static=True)
    is_log: bool = eqx.field(static=True, default=False)

    def value(self, x: Array) -> Array:
        if self.beta is None or self.mu is None:
            filled, empty = (jnp.log(jnp.maximum(n, self.floor)) for n in (x, 1.0 - x))
        else:
            odds = self.beta * (x - self.mu)
            filled, empty = -jax.nn.softplus(odds), -jax.nn.softplus(-odds)
        total = self.p * filled + self.q * empty
        return total if self.is_log else jnp.exp(total)

    def derivative(self) -> _Slope:
        return _Slope(self)

    def length_scale(self, low: Array, high: Array) -> Array:
        if self.beta is None:
            return jnp.maximum(jnp.minimum(low, 1.0 - high), 1e-16)
        steep = jnp.abs(self.beta) * (1.0 + jnp.abs(self.p) + jnp.abs(self.q))
        return 1.0 / jnp.maximum(steep, FLOOR)


class Block(eqx.Module):
    r"""Sites that are filled and measured together: a system, or the modes of a bath.

    `sites`: where they are; `energies`: of modes, or the block of h; `filling`: where it is not
    thermal, occupations, or the matrix $\langle c_j^\dagger c_i\rangle$; `floor`: below which these
    count as it, so that logarithms are finite.
    """

    sites: Int[Array, " n"]
    energies: Float[Array, " n"] | Inexact[Array, "n n"]
    beta: Float[Array, ""] | None
    mu: Float[Array, ""] | None
    filling: Float[Array, " n"] | Inexact[Array, "n n"] | None
    floor: float = eqx.field(static=True, default=FLOOR)

    def occupied(
        self, p: Numbers, q: Numbers, *, is_log: bool = False
    ) -> Inexact[Array, " n"] | Inexact[Array, "n n"]:
        """See `Occupied`."""
        function = Occupied(p, q, self.beta, self.mu, self.floor, is_log)
        return _applied(function, self.energies if self.filling is None else self.filling)

    def tilted(
        self, number: Numbers, energy: Numbers
    ) -> Inexact[Array, " n"] | Inexact[Array, "n n"]:
        """exp(number + energy * h)."""
        return _applied(Exponential(energy, jnp.exp(number)), self.energies)

    def weighed(
        self, number: Numbers, energy: Numbers
    ) -> Inexact[Array, " n"] | Inexact[Array, "n n"]:
        """number + energy * h."""
        unit = 1.0 if self.energies.ndim == 1 else jnp.eye(self.energies.shape[0])
        return number * unit + energy * self.energies


def _applied(function: SpectralFunction, x: Array) -> Array:
    return function(x) if x.ndim == 1 else matfn(function, x)


def assembled(blocks: Sequence[Block], parts: Sequence[Array]) -> Array:
    """Parts of all sites as one vector, or as one matrix that is zero between them."""
    sites = sum(block.sites.shape[0] for block in blocks)
    kind = jnp.result_type(*parts)
    if all(part.ndim == 1 for part in parts):
        whole = jnp.zeros(sites, kind)
        for block, part in zip(blocks, parts, strict=True):
            whole = whole.at[block.sites].set(part)
        return whole
    whole = jnp.zeros((sites, sites), kind)
    for block, part in zip(blocks, parts, strict=True):
        square = part if part.ndim == 2 else jnp.diag(part)
        whole = whole.at[block.sites[:, None], block.sites[None, :]].set(square)
    return whole
