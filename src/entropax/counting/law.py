"""What is counted, as a random variable: cumulants, generating function and law."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from entropax._checks import Numbers, concrete, is_traced, require_count
from entropax._precision import EPS

_CIRCLE = 64
"""Points of a circle about u = 0, on which the logarithm of the generating function is known."""
_REACH = 1.2
"""Its radius, in units of one over the most that one particle or jump changes: zeros of the
generating function lie at about pi of them."""
_WIDER = (1.0, 3.0, 9.0, 27.0)
"""Larger circles that are tried on a continuum, where the largest changes are the rarest."""
_STILL = 1e-13
"""A variance below this share of the largest change squared is what rounding left of zero."""
_TURNS = 10.0
"""The variance, in units of the square of that change, up to which that radius serves: beyond,
neighbouring points would be turns apart."""
_TAILS = 12.0
"""Standard deviations on either side of the mean that a law covers."""


class Law(eqx.Module):
    r"""A law of probability at each time.

    `values`: what the counted may be, shape (values,), the same at all times; `probabilities`:
    shape (times, values), which add up to 1; `width`: None where values are whole numbers, else the
    standard deviation of the Gaussian that a law on a continuum is smoothed by.
    """

    values: Float[Array, " values"]
    probabilities: Float[Array, "times values"]
    width: Float[Array, ""] | None

    @property
    def density(self) -> Float[Array, "times values"]:
        """Probability over the distance of neighbouring values."""
        return self.probabilities / (self.values[1] - self.values[0])


class AbstractCounting(eqx.Module):
    r"""A random variable x at each time, known by $\ln\langle e^{ux}\rangle$."""

    ts: eqx.AbstractVar[Float[Array, " times"]]

    is_whole: eqx.AbstractVar[bool]
    """Whether x takes whole numbers."""

    what: eqx.AbstractVar[str]

    @abc.abstractmethod
    def mean_and_variance(self) -> tuple[Float[Array, " times"], Float[Array, " times"]]:
        """Both, in one run: they share most of it."""

    @property
    def mean(self) -> Float[Array, " times"]:
        """The mean of x."""
        return self.mean_and_variance()[0]

    @property
    def variance(self) -> Float[Array, " times"]:
        """The variance of x."""
        return self.mean_and_variance()[1]

    @property
    @abc.abstractmethod
    def spread(self) -> Float[Array, ""]:
        """The most by which one particle, or one jump, changes x."""

    @abc.abstractmethod
    def logs(self, u: Complex[Array, "points times"]) -> Complex[Array, "points times"]:
        r"""$\ln\langle e^{ux}\rangle$ up to whole turns, u for each time its own."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.what}, {self.ts.shape[0]} times)"

    def generating(self, u: Numbers) -> Float[Array, "*u times"] | Complex[Array, "*u times"]:
        r"""$\langle e^{ux}\rangle$ for any u, real or complex, of any shape.

        Raises `ValueError` where it is larger than a number can be.
        """
        at = jnp.asarray(u)
        points = jnp.broadcast_to(jnp.ravel(at)[:, None], (at.size, self.ts.shape[0]))
        logs = _logs(self, points + 0j)
        largest = concrete(jnp.max(logs.real, initial=-jnp.inf))
        if not is_traced(largest) and not float(largest) < np.log(np.finfo(float).max):
            raise ValueError(
                f"`u` must be smaller in size: <exp(u x)> is exp({float(largest):.6g}) there."
            )
        values = jnp.exp(logs).reshape(*at.shape, self.ts.shape[0])
        return values if jnp.iscomplexobj(at) else values.real

    def cumulants(self, order: int) -> Float[Array, "order times"]:
        r"""The first `order` cumulants, $\partial_u^k \ln\langle e^{ux}\rangle$ at u = 0.

        Mean and variance in closed form; higher ones by Cauchy's integral on a circle about u = 0,
        whose error is rounding of the logarithm times k! over the k-th power of the radius.
        Raises `ValueError` for an order of which that leaves no digit.
        """
        order = require_count("order", order)
        both = self.mean_and_variance()
        if order <= 2:
            return jnp.stack(both[:order])
        if order > _CIRCLE // 4:
            raise ValueError(f"`order` must be at most {_CIRCLE // 4}, but is {order}.")
        higher, errors = _higher(self, order, *both)
        lost = concrete(jnp.max(errors))
        if not is_traced(lost) and float(lost) > 0.1:
            raise ValueError(
                f"`order` must be lower than {order}: of that cumulant, beside the standard "
                f"deviation's power, {max(0.0, -np.log10(float(lost))):.1f} digits are left."
            )
        return jnp.concatenate([jnp.stack(both), higher])

    def distribution(self, points: int | None = None, *, width: Numbers | None = None) -> Law:
        r"""The law of x at all times, on one grid.

        Whole numbers exactly, by a sum over $u = i\phi$; a continuum smoothed by a Gaussian of
        `width` (a tenth of the largest standard deviation where left out), three values a width.
        `points`: how many values, about the mean; what twelve standard deviations need where
        left out (to be given where a program traces the model). Probabilities are right to
        rounding, 1e-15, not to digits of theirs.
        """
        mean, variance = self.mean_and_variance()
        deviation = jnp.sqrt(jnp.maximum(variance, 0.0))
        low, high, widest = jnp.min(mean), jnp.max(mean), jnp.max(deviation)
        if self.is_whole and width is None:
            spacing, smear = jnp.ones(()), None
            needed = 2.0 * (_TAILS * widest + _TAILS) + (high - low)
        else:
            smear = jnp.asarray(0.1 * widest if width is None else width, float)
            spacing = smear / 3.0
            needed = (2.0 * _TAILS * widest + (high - low)) / spacing + 60.0
        if points is None:
            asked = concrete(needed)
            if is_traced(asked):
                raise ValueError("`points` must be given where a program traces the model.")
            if not np.isfinite(float(asked)):
                raise ValueError(
                    "`width` must be given, and positive, where the variance is 0 at all times."
                )
            points = int(np.ceil(float(asked)))
        count = 2 * (require_count("points", points) // 2) + 1
        return _law(self, count, spacing, 0.5 * (low + high), smear)


@eqx.filter_jit
def _logs(counting: AbstractCounting, u: Complex[Array, "points times"]) -> Array:
    return counting.logs(u)


@eqx.filter_jit
def _higher(
    counting: AbstractCounting,
    order: int,
    mean: Float[Array, " times"],
    variance: Float[Array, " times"],
) -> tuple[Array, Array]:
    """Cumulants from the third on, and what they may be off by beside the sizes that they have for
    a Gaussian's or a Poissonian's scale.
    """
    spread = jax.lax.stop_gradient(jnp.maximum(counting.spread, EPS))
    wide = jax.lax.stop_gradient(jnp.maximum(variance, 0.0)) / (_TURNS * spread**2)
    radius = _REACH / spread / jnp.maximum(wide, 1.0) ** (1.0 / 3.0)
    factors = np.array((1.0,) if counting.is_whole else _WIDER)
    radius = factors[:, None] * radius
    half, times = _CIRCLE // 2, radius.shape[1]
    turns = np.exp(2j * np.pi * np.arange(half + 1) / _CIRCLE)
    u = turns[None, :, None] * radius[:, None, :]
    logs = counting.logs(jnp.reshape(u, (-1, times))).reshape(u.shape)
    logs = jnp.moveaxis(logs - u * mean - 0.5 * u**2 * variance, 1, 0)
    angle = jnp.unwrap(logs.imag, axis=0)
    angle = angle - 2.0 * jnp.pi * jnp.round(angle[0] / (2.0 * jnp.pi))
    # the other half of the circle is the conjugate
    weights = np.where((np.arange(half + 1) == 0) | (np.arange(half + 1) == half), 1.0, 2.0)
    powers = turns[None, :] ** -np.arange(half)[:, None] * weights / _CIRCLE
    scaled = jnp.tensordot(powers.real, logs.real, 1) - jnp.tensordot(powers.imag, angle, 1)
    noise = jnp.max(jnp.abs(jax.lax.stop_gradient(scaled[half - 8 :])), axis=0)
    k = np.arange(3, order + 1)[:, None, None]
    factor = jnp.exp(jax.scipy.special.gammaln(k + 1.0)) / radius**k
    # <e^{ux}> is positive at both real ends: another angle has lost a turn between two points
    is_lost = ~(jnp.abs(angle[half]) < 0.1)
    errors = jnp.where(jnp.isfinite(noise) & ~is_lost, factor * noise, jnp.inf)
    best = jnp.argmin(errors, axis=1)[:, None]
    values = jnp.take_along_axis(factor * scaled[3 : order + 1], best, axis=1)[:, 0]
    error = jnp.take_along_axis(errors, best, axis=1)[:, 0]
    fixed = jax.lax.stop_gradient(variance)
    still = fixed <= _STILL * spread**2
    k = k[:, 0]
    deviation = jnp.sqrt(jnp.where(still, 1.0, fixed))
    size = jnp.maximum(deviation**k, deviation**2 * jnp.minimum(spread, deviation) ** (k - 2))
    return jnp.where(still, 0.0, values), jnp.where(still, 0.0, error / size)


@eqx.filter_jit
def _law(
    counting: AbstractCounting, count: int, spacing: Array, center: Array, smear: Array | None
) -> Law:
    half = count // 2
    middle = jnp.round(center) if smear is None else center
    values = middle + spacing * (jnp.arange(count) - half)
    phi = 2.0 * jnp.pi * jnp.arange(half + 1) / (count * spacing)
    u = jnp.broadcast_to(1j * phi[:, None], (half + 1, counting.ts.shape[0]))
    logs = counting.logs(u)
    if smear is not None:
        logs = logs - 0.5 * (smear * phi[:, None]) ** 2
    weights = np.where(np.arange(half + 1) == 0, 1.0, 2.0) / count
    turned = jnp.exp(logs - 1j * phi[:, None] * middle)
    place = jnp.arange(count) - half
    back = jnp.exp(-1j * phi[:, None] * spacing * place[None, :])
    return Law(values, jnp.einsum("pt,p,pv->tv", turned, weights, back).real, smear)
