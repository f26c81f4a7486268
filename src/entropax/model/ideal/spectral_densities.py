r"""Spectra of ideal baths: the rate $J(\omega)$ at which an empty bath takes quanta $\omega$.

$J$ is the decay rate at zero temperature for operator elements of modulus one: in QuTiP's
environments it is twice the spectral density.
"""

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from entropax._checks import Numbers, check, finite_array
from entropax._functions import as_pytree


class AbstractSpectrum(eqx.Module):
    r"""$J(\omega) \ge 0$ for $\omega > 0$; baths of fermions ask for it at any $\omega$."""

    @property
    @abc.abstractmethod
    def decays(self) -> bool:
        """Whether it falls off fast enough at high frequencies for the Lamb shift to exist."""

    @property
    def is_odd(self) -> bool:
        """Whether it is meant for positive frequencies, and negative below: for bosons alone."""
        return False

    @abc.abstractmethod
    def __call__(self, frequency: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        r"""$J(\omega)$, elementwise."""

    def per_frequency(self, frequency: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        r"""$J(\omega)/\omega$, at 0 its limit: infinite where $J(0) \ne 0$."""
        zero = frequency == 0
        # what is not asked for must not spoil derivatives: J may have none at 0
        largest = jax.lax.stop_gradient(jnp.max(jnp.abs(frequency), initial=0.0))
        other = jnp.where(largest > 0, largest, 1.0)
        elsewhere = jnp.where(zero, other, frequency)
        ratio = self(elsewhere) / elsewhere
        origin = jnp.where(jnp.any(zero), 0.0, other)
        rise: Array = jax.jacfwd(self.__call__)(origin)
        slope = jnp.where(self(origin) == 0, rise, jnp.inf)
        return jnp.where(zero, slope, ratio)


class FlatSpectrum(AbstractSpectrum):
    r"""$J = g$ at all frequencies.

    A bath of bosons then has no rate for jumps that exchange no energy: n(0) is infinite.
    """

    rate: Float[Array, ""]

    @property
    def decays(self) -> bool:
        return False

    def __init__(self, rate: Numbers):
        self.rate = _non_negative("rate", rate)

    def __call__(self, frequency: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jnp.broadcast_to(self.rate, jnp.shape(frequency))


class OhmicSpectrum(AbstractSpectrum):
    r"""$J = g\,\omega\,e^{-\omega/\omega_c}$; without `cutoff` $J = g\,\omega$.

    **Arguments:** `strength`: g, without dimension; `cutoff`: $\omega_c > 0$.
    """

    strength: Float[Array, ""]
    cutoff: Float[Array, ""] | None

    def __init__(self, strength: Numbers, cutoff: Numbers | None = None):
        self.strength = _non_negative("strength", strength)
        self.cutoff = None if cutoff is None else _positive("cutoff", cutoff)

    @property
    def decays(self) -> bool:
        return self.cutoff is not None

    @property
    def is_odd(self) -> bool:
        return True

    def __call__(self, frequency: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        bare = self.strength * frequency
        return bare if self.cutoff is None else bare * jnp.exp(-frequency / self.cutoff)


class SuperOhmicSpectrum(AbstractSpectrum):
    r"""$J = g\,\omega^s \omega_c^{1-s}\, e^{-\omega/\omega_c}$ with $s > 1$.

    **Arguments:** `strength`: g; `cutoff`: $\omega_c > 0$; `exponent`: s, 3 for phonons in bulk.
    """

    strength: Float[Array, ""]
    cutoff: Float[Array, ""]
    exponent: Float[Array, ""]

    @property
    def decays(self) -> bool:
        return True

    def __init__(self, strength: Numbers, cutoff: Numbers, exponent: Numbers = 3.0):
        self.strength = _non_negative("strength", strength)
        self.cutoff = _positive("cutoff", cutoff)
        exponent = finite_array("exponent", exponent, ndim=0)
        self.exponent = check("exponent", exponent, "above 1", lambda xp, s: s > 1)

    @property
    def is_odd(self) -> bool:
        return True

    def __call__(self, frequency: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        scaled = frequency / self.cutoff
        zero = scaled <= 0
        power = jnp.where(zero, 1.0, scaled) ** self.exponent * jnp.exp(-scaled)
        return self.strength * self.cutoff * jnp.where(zero, 0.0, power)


class DrudeLorentzSpectrum(AbstractSpectrum):
    r"""$J = 2 \lambda\,\omega\,\omega_c / (\omega^2 + \omega_c^2)$: overdamped oscillators.

    **Arguments:** `strength`: $\lambda$; `cutoff`: $\omega_c > 0$.
    """

    strength: Float[Array, ""]
    cutoff: Float[Array, ""]

    @property
    def decays(self) -> bool:
        return True

    def __init__(self, strength: Numbers, cutoff: Numbers):
        self.strength = _non_negative("strength", strength)
        self.cutoff = _positive("cutoff", cutoff)

    @property
    def is_odd(self) -> bool:
        return True

    def __call__(self, frequency: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        width = frequency**2 + self.cutoff**2
        return 2.0 * self.strength * frequency * self.cutoff / width


class TabulatedSpectrum(AbstractSpectrum):
    r"""Straight lines through ($\omega_i$, $J_i$); undefined (NaN) outside the table.

    **Arguments:** `frequencies`: ascending, two or more; `values`: as many, non-negative.
    """

    frequencies: Float[Array, " nodes"]
    values: Float[Array, " nodes"]

    @property
    def decays(self) -> bool:
        return False

    def __init__(self, frequencies: Numbers, values: Numbers):
        nodes = finite_array("frequencies", frequencies, ndim=1)
        self.frequencies = check(
            "frequencies", nodes, "ascending", lambda xp, w: xp.diff(w, prepend=-xp.inf) > 0
        )
        values = finite_array("values", values, ndim=1)
        self.values = check("values", values, "non-negative", lambda xp, j: j >= 0)
        if values.shape != nodes.shape or nodes.shape[0] < 2:
            raise ValueError(
                f"`values` must have as many entries as `frequencies` ({nodes.shape[0]}), "
                f"2 or more, but has {values.shape[0]}."
            )

    def __call__(self, frequency: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jnp.interp(frequency, self.frequencies, self.values, left=jnp.nan, right=jnp.nan)


class _AbstractGiven(eqx.Module):
    """A function of frequency, an `eqx.Module` where it has parameters.

    Other functions are told apart by what they do: by their code, and the numbers that it reads.
    """

    function: Callable[[Array], Array]
    is_cut: bool = eqx.field(static=True)

    def __init__(self, function: Callable[[Array], Array], *, decays: bool = False):
        self.function = as_pytree(function)
        self.is_cut = decays

    def __call__(self, frequency: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jnp.asarray(self.function(frequency))

    @property
    def decays(self) -> bool:
        """As it was said to."""
        return self.is_cut


class CustomSpectrum(_AbstractGiven, AbstractSpectrum):
    r"""$J$ as any function of $\omega$, elementwise on arrays, of `jax.numpy`.

    **Arguments:** `function`: an `eqx.Module` where it has parameters to differentiate; `decays`:
    whether it has a cutoff, so that a Lamb shift exists.
    """


class PowerSpectrum(_AbstractGiven):
    r"""The rates $\gamma(\omega)$ themselves, of both signs; $\omega$ is given to the bath.

    They must obey $\gamma(-\omega) = e^{-\beta\omega}\gamma(\omega)$ with the bath's beta, to 1e-9,
    which is checked at every transition that uses them. **Arguments:** as of `CustomSpectrum`.
    """


def spectrum(value: Any) -> AbstractSpectrum | PowerSpectrum:
    """`value` as a spectrum: one, or a function of frequency."""
    if isinstance(value, AbstractSpectrum | PowerSpectrum):
        return value
    if isinstance(value, type) or not callable(value):
        raise ValueError(f"`spectrum` must be a spectrum or a function, but is {value!r}.")
    function: Callable[[Array], Any] = value
    try:
        eqx.filter_eval_shape(lambda w: jnp.asarray(function(w)), jnp.zeros(2))
    except (TypeError, ValueError, jax.errors.TracerArrayConversionError) as error:
        raise ValueError(
            "`spectrum` must be written in jax.numpy, elementwise, with `jnp.where` instead of "
            "`if`: it is compiled. Numbers go into a TabulatedSpectrum."
        ) from error
    return CustomSpectrum(function)  # pyright: ignore[reportCallIssue]


def _non_negative(name: str, value: Numbers) -> Float[Array, ""]:
    number = finite_array(name, value, ndim=0)
    return check(name, number, "non-negative", lambda xp, x: x >= 0)


def _positive(name: str, value: Numbers) -> Float[Array, ""]:
    number = finite_array(name, value, ndim=0)
    return check(name, number, "positive", lambda xp, x: x > 0)
