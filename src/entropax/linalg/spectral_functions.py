"""Scalar functions with the derivatives and divided differences that matrix calculus needs."""

import abc
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Inexact

from entropax._precision import EPS, TINY, require_float64

# Occupations and probabilities closer than this to an end of their interval cannot be told from
# it in float64: the slope of an entropy is finite there, ln(1/ROUNDING) ~ 37.
ROUNDING = EPS / 2


class SpectralFunction(eqx.Module):
    """A scalar function f, to be applied to numbers or to the eigenvalues of Hermitian matrices.

    Subclasses say `value` and `derivative`; those that can give the divided difference
    f[x, y] = (f(x) - f(y)) / (x - y) without cancellation override `divided_difference`.
    Calling the object applies it elementwise, with `derivative` as its exact derivative to
    every order.
    """

    @abc.abstractmethod
    def value(self, x: Float[Array, "*shape"]) -> Inexact[Array, "*shape"]:
        """f(x), elementwise."""

    @abc.abstractmethod
    def derivative(self) -> "SpectralFunction":
        """f', again a spectral function."""

    def __call__(self, x: Float[Array, "*shape"]) -> Inexact[Array, "*shape"]:
        require_float64()
        return _apply(self, x)

    def divided_difference(
        self, x: Float[Array, "*shape"], y: Float[Array, "*shape"]
    ) -> Inexact[Array, "*shape"]:
        """f[x, y]; the slope at the midpoint where x and y agree to 1e-5 of `length_scale`."""
        gap = x - y
        scale = self.length_scale(jnp.minimum(x, y), jnp.maximum(x, y))
        close = jnp.abs(gap) <= 1e-5 * scale
        slope = self.derivative()(0.5 * (x + y))
        return jnp.where(close, slope, (self(x) - self(y)) / jnp.where(close, 1.0, gap))

    def length_scale(self, low: Array, high: Array) -> Array:
        """The length over which f changes its shape between `low` and `high`."""
        # a function that nothing is known of may have an edge at 0
        return jnp.maximum(jnp.maximum(jnp.abs(low), jnp.abs(high)), TINY)

    def second_divided_difference(
        self,
        x: Float[Array, "*shape"],
        y: Float[Array, "*shape"],
        z: Float[Array, "*shape"],
    ) -> Inexact[Array, "*shape"]:
        """f[x, y, z], divided by the largest gap; half the curvature at the mean where all meet."""
        low = jnp.minimum(jnp.minimum(x, y), z)
        high = jnp.maximum(jnp.maximum(x, y), z)
        middle = x + y + z - low - high
        gap = high - low
        close = gap <= 1e-4 * self.length_scale(low, high)
        curvature = 0.5 * self.derivative().derivative()((low + middle + high) / 3.0)
        steep = self.divided_difference(high, middle) - self.divided_difference(middle, low)
        return jnp.where(close, curvature, steep / jnp.where(close, 1.0, gap))


@eqx.filter_custom_jvp
def _apply(fn: SpectralFunction, x: Float[Array, "*shape"]) -> Inexact[Array, "*shape"]:
    return fn.value(x)


@_apply.def_jvp
def _apply_jvp(primals, tangents):
    fn, x = primals
    dfn, dx = tangents
    out = _apply(fn, x)
    tangent = jnp.zeros_like(out)
    if dx is not None:
        tangent = tangent + fn.derivative()(x) * dx
    if is_perturbed(dfn):
        _, change = eqx.filter_jvp(lambda f: f.value(x), (fn,), (dfn,))
        tangent = tangent + change
    return out, tangent.astype(out.dtype)


def is_perturbed(tangent: object) -> bool:
    """Whether a tangent handed to an `eqx.filter_custom_jvp` rule holds anything."""
    return bool(jax.tree.leaves(tangent))


class Elementwise(SpectralFunction):
    """A `SpectralFunction` made of any smooth JAX function of one real number."""

    function: Callable[[Array], Array] = eqx.field(static=True)

    def value(self, x: Float[Array, "*shape"]) -> Inexact[Array, "*shape"]:
        return self.function(x)

    def derivative(self) -> "Elementwise":
        return Elementwise(_differentiated(self.function))


def _differentiated(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    def slope(x: Array) -> Array:
        return jax.jvp(function, (x,), (jnp.ones_like(x),))[1]

    return slope


class Exponential(SpectralFunction):
    """f(x) = factor * exp(scale * x), real or complex."""

    scale: Complex[Array, ""] | Float[Array, ""] | complex
    factor: Complex[Array, ""] | Float[Array, ""] | complex = 1.0

    def value(self, x: Float[Array, "*shape"]) -> Inexact[Array, "*shape"]:
        return self.factor * jnp.exp(self.scale * x)

    def derivative(self) -> "Exponential":
        return Exponential(self.scale, self.factor * self.scale)

    def divided_difference(
        self, x: Float[Array, "*shape"], y: Float[Array, "*shape"]
    ) -> Inexact[Array, "*shape"]:
        """factor * scale * exp(scale (x+y)/2) * sinh(h)/h with h = scale (x-y)/2.

        Where h is not small, as exp of the larger exponent times (1 - exp(-2h))/2h: no overflow.
        """
        slope = self.derivative()
        h = 0.5 * self.scale * (x - y)
        small = jnp.abs(h) < 1e-2
        square = h * h
        series = 1.0 + square / 6.0 * (1.0 + square / 20.0 * (1.0 + square / 42.0))
        ahead = jnp.real(h) >= 0
        twice = jnp.where(small, 1.0, 2.0 * jnp.where(ahead, h, -h))
        far = slope(jnp.where(ahead, x, y)) * -jnp.expm1(-twice) / twice
        return jnp.where(small, slope(0.5 * (x + y)) * jnp.where(small, series, 1.0), far)


class BinaryEntropy(SpectralFunction):
    """s(n) = -n ln n - (1-n) ln(1-n) on [0, 1], s(0) = s(1) = 0; clipped outside."""

    def value(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        n = jnp.clip(x, 0.0, 1.0)
        # not 1 - n, in which an n below rounding would be lost
        return -_xlogx(n) - (1.0 - n) * jnp.log1p(-jnp.where(n == 1, 0.0, n))

    def derivative(self) -> "LogOdds":
        return LogOdds()

    def length_scale(self, low: Array, high: Array) -> Array:
        return jnp.minimum(_inside(low), 1.0 - _inside(high))

    def divided_difference(
        self, x: Float[Array, "*shape"], y: Float[Array, "*shape"]
    ) -> Float[Array, "*shape"]:
        return _entropy_slope(_inside(x), _inside(y)) - _entropy_slope(
            1.0 - _inside(x), 1.0 - _inside(y)
        )


class LogOdds(SpectralFunction):
    """s'(n) = ln((1-n)/n), the slope of the binary entropy, clipped at rounding level."""

    def value(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        n = _inside(x)
        return jnp.log1p(-n) - jnp.log(n)

    def derivative(self) -> "Elementwise":
        return Elementwise(_binary_entropy_curvature)

    def length_scale(self, low: Array, high: Array) -> Array:
        return jnp.minimum(_inside(low), 1.0 - _inside(high))

    def divided_difference(
        self, x: Float[Array, "*shape"], y: Float[Array, "*shape"]
    ) -> Float[Array, "*shape"]:
        a, b = _inside(x), _inside(y)
        return -_log_slope(a, b) - _log_slope(1.0 - a, 1.0 - b)


class ShannonTerm(SpectralFunction):
    """f(p) = -p ln p on [0, inf), f(0) = 0."""

    def value(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return -_xlogx(jnp.maximum(x, 0.0))

    def derivative(self) -> "ShannonSlope":
        return ShannonSlope()

    def length_scale(self, low: Array, high: Array) -> Array:
        del high
        return jnp.maximum(low, ROUNDING)

    def divided_difference(
        self, x: Float[Array, "*shape"], y: Float[Array, "*shape"]
    ) -> Float[Array, "*shape"]:
        return _entropy_slope(jnp.maximum(x, ROUNDING), jnp.maximum(y, ROUNDING)) - 1.0


class ShannonSlope(SpectralFunction):
    """f(p) = -ln p - 1, the slope of -p ln p, with p raised to rounding level."""

    def value(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return -jnp.log(jnp.maximum(x, ROUNDING)) - 1.0

    def derivative(self) -> "Elementwise":
        return Elementwise(_shannon_curvature)

    def length_scale(self, low: Array, high: Array) -> Array:
        del high
        return jnp.maximum(low, ROUNDING)

    def divided_difference(
        self, x: Float[Array, "*shape"], y: Float[Array, "*shape"]
    ) -> Float[Array, "*shape"]:
        return -_log_slope(jnp.maximum(x, ROUNDING), jnp.maximum(y, ROUNDING))


class Logarithm(SpectralFunction):
    """f(p) = ln p, with p raised to rounding level."""

    def value(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jnp.log(_positive(x))

    def derivative(self) -> "Elementwise":
        return Elementwise(_inverse)

    def length_scale(self, low: Array, high: Array) -> Array:
        del high
        return _positive(low)

    def divided_difference(
        self, x: Float[Array, "*shape"], y: Float[Array, "*shape"]
    ) -> Float[Array, "*shape"]:
        return _log_slope(_positive(x), _positive(y))


def _inside(n: Array) -> Array:
    return jnp.clip(n, ROUNDING, 1.0 - ROUNDING)


def _positive(x: Array) -> Array:
    return jnp.maximum(x, ROUNDING)


def _xlogx(x: Array) -> Array:
    return jnp.where(x <= 0, 0.0, x * jnp.log(jnp.where(x <= 0, 1.0, x)))


def _binary_entropy_curvature(x: Array) -> Array:
    n = _inside(x)
    return -1.0 / (n * (1.0 - n))


def _shannon_curvature(x: Array) -> Array:
    return -1.0 / jnp.maximum(x, ROUNDING)


def _inverse(x: Array) -> Array:
    return 1.0 / _positive(x)


def _log1p_over(r: Array) -> Array:
    """ln(1+r)/r for r in (-1, 0], 1 at 0."""
    flat = jnp.abs(r) < ROUNDING
    safe = jnp.where(flat, -0.5, r)
    return jnp.where(flat, 1.0, jnp.log1p(safe) / safe)


def _log_slope(x: Array, y: Array) -> Array:
    """(ln x - ln y) / (x - y) without cancellation, for positive x and y."""
    high, low = jnp.maximum(x, y), jnp.minimum(x, y)
    near = 2.0 * low > high
    ratio = (low - high) / high
    close = _log1p_over(jnp.where(near, ratio, -0.25)) / high
    return jnp.where(near, close, (jnp.log(high) - jnp.log(low)) / jnp.where(near, 1.0, high - low))


def _entropy_slope(x: Array, y: Array) -> Array:
    """1 + (g(x) - g(y)) / (x - y) for g = -x ln x, without cancellation, for positive x and y."""
    high, low = jnp.maximum(x, y), jnp.minimum(x, y)
    return 1.0 - jnp.log(high) - low * _log_slope(x, y)
