r"""Ideal baths: thermal for ever, known by their temperature and their spectrum."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Inexact

from entropax._checks import Numbers, check, finite_array, real_array
from entropax._precision import TINY
from entropax._tolerances import AS_STATED
from entropax.equilibrium import fermi, log_odds
from entropax.linalg import masked_inverse
from entropax.model.ideal.spectral_densities import AbstractSpectrum, PowerSpectrum
from entropax.model.ideal.spectral_densities import spectrum as as_spectrum


class Channel(NamedTuple):
    r"""One way in which a bath acts: jumps are the parts of `operator` that hand it energy.

    `rate(w)`: $\gamma(\omega)$ of operator elements of modulus one, $\omega$ the energy *given to
    the bath*, of either sign; `particles`: given to the bath with each jump; `bends`: where the
    rate may bend.
    """

    operator: Inexact[Array, "d d"]
    rate: Callable[[Float[Array, ""]], Float[Array, ""]]
    particles: int
    bends: tuple[Float[Array, ""], ...]


class ThermalBath(eqx.Module):
    r"""An infinite bath in equilibrium at $\beta$ and $\mu$.

    Rates for operator elements of modulus one, $\omega > 0$ the energy of a quantum:

    - "bose": $\gamma(\omega) = J(\omega)\,(1 + n)$ to give it to the bath and
      $\gamma(-\omega) = J(\omega)\,n$ to take it, $n = 1/(e^{\beta(\omega-\mu)} - 1)$;
    - "fermi": $J(\omega)\,(1-f)$ to give a particle of energy $\omega$ to the bath and
      $J(\omega)\,f$ to take one, $f = 1/(e^{\beta(\omega-\mu)} + 1)$.

    **Arguments:**

    - `beta`: inverse temperature; for bosons positive, `jnp.inf` for zero temperature.
    - `spectrum`: $J$: a spectrum of `entropax` or a function of frequency; `PowerSpectrum` for
      rates given themselves. None for the bath of a hand-written `Jump`.
    - `statistics`: "bose" or "fermi".
    - `mu`: chemical potential, 0 where left out; not above 0 for bosons, whose quanta may have any
      energy above 0, and are counted in particle currents where it is given.
    - `zero_frequency_rate`: $\gamma(0)$ where the spectrum's limit, $J'(0)/\beta$ for bosons, is
      not wanted or does not exist.
    """

    beta: Float[Array, ""]
    spectrum: AbstractSpectrum | PowerSpectrum | None
    mu: Float[Array, ""]
    zero_frequency_rate: Float[Array, ""] | None
    statistics: Literal["bose", "fermi"] = eqx.field(static=True)
    exchanges_particles: bool = eqx.field(static=True)

    def __init__(
        self,
        beta: Numbers,
        spectrum: AbstractSpectrum | PowerSpectrum | Callable[[Array], Array] | None = None,
        statistics: Literal["bose", "fermi"] = "bose",
        mu: Numbers | None = None,
        *,
        zero_frequency_rate: Numbers | None = None,
    ):
        if statistics not in ("bose", "fermi"):
            raise ValueError(f'`statistics` must be "bose" or "fermi", but is {statistics!r}.')
        self.statistics = statistics
        self.spectrum = None if spectrum is None else as_spectrum(spectrum)
        beta = real_array("beta", beta, ndim=0)
        self.exchanges_particles = statistics == "fermi" or mu is not None
        mu = finite_array("mu", 0.0 if mu is None else mu, ndim=0)
        if statistics == "bose" and spectrum is not None:
            beta = check("beta", beta, "positive for bosons", lambda xp, b: b > 0)
            mu = check("mu", mu, "at most 0 for bosons", lambda xp, m: m <= 0)
        if isinstance(self.spectrum, PowerSpectrum) and statistics == "fermi":
            raise ValueError("`spectrum` must be J for fermions, but is a PowerSpectrum.")
        self.beta, self.mu = beta, mu
        if zero_frequency_rate is not None:
            rate = finite_array("zero_frequency_rate", zero_frequency_rate, ndim=0)
            rule = "non-negative"
            zero_frequency_rate = check("zero_frequency_rate", rate, rule, lambda xp, g: g >= 0)
        self.zero_frequency_rate = zero_frequency_rate

    def rate(self, quantum: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        r"""$\gamma(\omega)$ of a bath of bosons, $\omega$ the energy given to it, elementwise."""
        self._require("bose")
        if self.zero_frequency_rate is not None:
            # whatever the spectrum is not asked for must not spoil derivatives
            zero = quantum == 0
            other = jax.lax.stop_gradient(jnp.max(jnp.abs(quantum)))
            elsewhere = jnp.where(zero, jnp.where(other > 0, other, 1.0), quantum)
            return jnp.where(zero, self.zero_frequency_rate, self._limit(elsewhere))
        return self._limit(quantum)

    def _limit(self, quantum: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The same without a rate given for zero frequency."""
        shape = self._shape()
        if isinstance(shape, PowerSpectrum):
            return shape(quantum)
        size, sign = jnp.abs(quantum), jnp.sign(quantum)
        if not self.exchanges_particles:
            return shape.per_frequency(size) * _thermal(self.beta, quantum)
        above = size - self.mu
        ratio = shape(size) * masked_inverse(above, above > 0)
        rate = ratio * _thermal(self.beta, sign * above)
        quiet = jnp.where(shape(size) == 0, 0.0, jnp.inf)
        rate = jnp.where(quantum == 0, quiet, rate)
        smooth = shape.per_frequency(size) * _thermal(self.beta, quantum)
        return jnp.where(self.mu == 0, smooth, rate)

    def emission(self, energy: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        r"""$J(\omega)\,(1 - f)$ of a bath of fermions, $\omega$ the energy given to it."""
        self._require("fermi")
        return self._shape()(energy) * fermi(-log_odds(energy, self.beta, self.mu))

    def absorption(self, energy: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        r"""$J(\omega)\,f$ of a bath of fermions, $\omega$ the energy taken from it."""
        self._require("fermi")
        return self._shape()(energy) * fermi(log_odds(energy, self.beta, self.mu))

    def breaks_balance(self, quantum: Float[Array, "*shape"]) -> Bool[Array, "*shape"]:
        r"""Whether $\gamma(-\omega) \ne e^{-\beta\omega}\gamma(\omega)$, to 1e-9.

        Detailed balance is built in where rates come from J, and must be looked at where they are
        given.
        """
        if not isinstance(self.spectrum, PowerSpectrum):
            return jnp.zeros(quantum.shape, bool)
        size = jnp.abs(quantum)
        down, up = self.spectrum(size), self.spectrum(-size)
        scale = jnp.maximum(jnp.abs(down), TINY)
        return jnp.abs(up - jnp.exp(-self.beta * size) * down) > AS_STATED * scale

    def channels(self, operator: Inexact[Array, "d d"]) -> tuple[Channel, ...]:
        """What a coupling through `operator` does (see `Coupling` for fermions)."""
        zero = jnp.zeros(())
        if self.statistics == "fermi":
            lowering = jnp.triu(operator, 1)
            raising = lowering.conj().T
            return (
                Channel(lowering, self.emission, 1, (zero, self.mu)),
                Channel(raising, lambda quantum: self.absorption(-quantum), -1, (zero, -self.mu)),
            )
        if not self.exchanges_particles:
            return (Channel(operator, self.rate, 0, (zero,)),)

        def giving(quantum: Array) -> Array:
            return jnp.where(quantum > 0, self.rate(quantum), 0.0)

        def taking(quantum: Array) -> Array:
            return jnp.where(quantum > 0, 0.0, self.rate(quantum))

        return Channel(operator, giving, 1, (zero,)), Channel(operator, taking, -1, (zero,))

    def _require(self, statistics: str) -> None:
        if self.statistics != statistics:
            raise ValueError(f'`statistics` must be "{statistics}" for this rate.')

    def _shape(self) -> AbstractSpectrum | PowerSpectrum:
        if self.spectrum is None:
            raise ValueError("`spectrum` must be given for a bath of a Coupling, but is None.")
        return self.spectrum


def _thermal(beta: Array, energy: Array) -> Array:
    r"""$\epsilon/(1 - e^{-\beta\epsilon})$, smooth at 0, where it is $1/\beta$."""
    cold = jnp.isinf(beta)
    x = jnp.where(cold, 1.0, beta) * energy
    flat = jnp.abs(x) < 1e-5
    safe = jnp.where(flat, 1.0, x)
    # each branch in its own range: no overflow, no cancellation
    ratio = jnp.where(safe > 0, safe, -safe) / -jnp.expm1(-jnp.abs(safe))
    ratio = jnp.where(safe > 0, ratio, ratio * jnp.exp(-jnp.abs(safe)))
    ratio = jnp.where(flat, 1.0 + 0.5 * x + x**2 / 12.0, ratio)
    return jnp.where(cold, jnp.maximum(energy, 0.0), ratio / jnp.where(cold, 1.0, beta))
