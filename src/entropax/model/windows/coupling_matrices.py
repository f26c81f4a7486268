r"""Coupling matrices B of a bath: random ensembles, eigenstate thermalisation, or given.

A matrix says what `Schrodinger` draws, and what the master equations need of it: averages over
windows. With $\langle\cdot\rangle$ the mean over a block of $V_E \times V_{E'}$ entries,

- `mean`: $b(E,E')$, `variance`: $a^2(E,E')$, so that $\langle|B_{ij}|^2\rangle = |b|^2 + a^2$;
- `average`: $\langle B\rangle_E = \mathrm{tr}(B\,\Pi_E)/V_E$, the first-order shift (Riera Eq. 8).
"""

import abc
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Inexact, PRNGKeyArray

from entropax._checks import (
    Numbers,
    check,
    finite_array,
    hermitian_matrix,
    is_traced,
)
from entropax._functions import as_pytree
from entropax._tolerances import AS_STATED
from entropax.model.windows.bath import WindowBath

Windows = Inexact[Array, "windows windows"]


class AbstractCouplingMatrix(eqx.Module):
    """A Hermitian matrix over a bath's levels, or an ensemble of such.

    Functions that define one are told apart by what they do: by their code, and what it reads.
    """

    is_random: eqx.AbstractClassVar[bool]

    @abc.abstractmethod
    def draw(
        self, key: PRNGKeyArray | None, bath: WindowBath, levels: Float[Array, " levels"]
    ) -> Inexact[Array, "levels levels"]:
        """One matrix, Hermitian; real where the ensemble is."""

    def mean(self, bath: WindowBath) -> Windows:
        """b(E, E'), the part that is the same in every draw."""
        return jnp.zeros((bath.windows, bath.windows))

    @abc.abstractmethod
    def variance(self, bath: WindowBath) -> Float[Array, "windows windows"]:
        """a^2(E, E'), the mean square of the rest."""

    def average(self, bath: WindowBath) -> Float[Array, " windows"]:
        r"""$\langle B\rangle_E$; zero unless the matrix has a diagonal part."""
        return jnp.zeros(bath.windows)

    def connects(self, bath: WindowBath) -> Bool[np.ndarray, "windows windows"]:
        """Which windows the matrix couples, as far as known before the program runs."""
        return np.ones((bath.windows, bath.windows), bool)

    def check(self, bath: WindowBath) -> None:
        """`ValueError` where matrix and bath do not fit."""


class RandomBands(AbstractCouplingMatrix):
    r"""$B_{ij} = b(E,E') + c_{ij}$ between levels of different windows (Riera Eq. 26).

    $c_{ij} = c_{ji}^*$ are independent Gaussians with $\mathbb{E}|c|^2 = a^2$, complex unless
    `real`.

    **Arguments:** `variance`: $a^2 \ge 0$; `mean`: b, a number, a Hermitian (windows, windows)
    array or a function b(E, E') of two energies, None for zero.
    """

    variance_: Float[Array, ""]
    mean_: Inexact[Array, "..."] | Callable[[Array, Array], Array] | None
    real: bool = eqx.field(static=True)
    is_random = True

    def __init__(
        self,
        variance: Numbers = 1.0,
        mean: Numbers | Callable[[Array, Array], Array] | None = None,
        *,
        real: bool = False,
    ):
        self.variance_ = _variance(variance)
        if callable(mean):
            self.mean_ = as_pytree(mean)
        elif mean is None:
            self.mean_ = None
        elif np.ndim(mean) == 0:
            self.mean_ = finite_array("mean", mean, ndim=0)
        else:
            self.mean_ = hermitian_matrix("mean", mean)
        self.real = real

    def mean(self, bath: WindowBath) -> Windows:
        if self.mean_ is None:
            return jnp.zeros((bath.windows, bath.windows))
        if callable(self.mean_):
            values = jnp.asarray(self.mean_(bath.centers[:, None], bath.centers[None, :]))
            values = hermitian_matrix("mean", jnp.broadcast_to(values, (bath.windows,) * 2))
        else:
            values = jnp.broadcast_to(self.mean_, (bath.windows,) * 2)
        return jnp.where(np.eye(bath.windows, dtype=bool), 0.0, values)

    def variance(self, bath: WindowBath) -> Float[Array, "windows windows"]:
        return self.variance_ * (1.0 - np.eye(bath.windows))

    def draw(
        self, key: PRNGKeyArray | None, bath: WindowBath, levels: Float[Array, " levels"]
    ) -> Inexact[Array, "levels levels"]:
        del levels
        where = bath.window_of_level
        noise = _gaussian(key, bath.size, real=self.real)
        matrix = _root(self.variance_) * noise
        if self.mean_ is not None:
            matrix = matrix + self.mean(bath)[where[:, None], where[None, :]]
        return jnp.where(where[:, None] == where[None, :], 0.0, matrix)

    def connects(self, bath: WindowBath) -> Bool[np.ndarray, "windows windows"]:
        return ~np.eye(bath.windows, dtype=bool)

    def check(self, bath: WindowBath) -> None:
        shape = () if callable(self.mean_) or self.mean_ is None else self.mean_.shape
        if shape not in ((), (bath.windows, bath.windows)):
            raise ValueError(
                f"`mean` must have one row per window ({bath.windows}), but has shape {shape}."
            )


class _FullEnsemble(AbstractCouplingMatrix):
    """Independent Gaussian entries between all levels, E|B_ij|^2 = `variance`."""

    variance_: Float[Array, ""]
    real: eqx.AbstractClassVar[bool]
    is_random = True

    def __init__(self, variance: Numbers):
        self.variance_ = _variance(variance)

    def variance(self, bath: WindowBath) -> Float[Array, "windows windows"]:
        return jnp.broadcast_to(self.variance_, (bath.windows, bath.windows))

    def draw(
        self, key: PRNGKeyArray | None, bath: WindowBath, levels: Float[Array, " levels"]
    ) -> Inexact[Array, "levels levels"]:
        del levels
        return _root(self.variance_) * _gaussian(key, bath.size, real=self.real)


class GOE(_FullEnsemble):
    """A real symmetric Gaussian matrix: off-diagonal `variance`, diagonal twice that."""

    real = True

    # written out in both: a type checker would make one of the fields
    def __init__(self, variance: Numbers):
        super().__init__(variance)


class GUE(_FullEnsemble):
    """A complex Hermitian Gaussian matrix with E|B_ij|^2 = `variance`, diagonal too."""

    real = False

    def __init__(self, variance: Numbers):
        super().__init__(variance)


class EigenstateThermalization(AbstractCouplingMatrix):
    r"""$B_{ij} = O(\bar E)\,\delta_{ij} + V_{\bar E}^{-1/2} f(\bar E, \Omega)\,R_{ij}$ (Eq. 28).

    $\bar E = (E_i+E_j)/2$, $\Omega = E_i - E_j$; R are Hermitian Gaussians of unit variance.
    $\ln V$ between window centers is interpolated linearly.

    **Arguments:** `f`: a function f(mean energy, difference) with $f(E,-\Omega) = f^*(E,\Omega)$,
    an `eqx.Module` where its parameters are to be differentiated; `diagonal`: O, a function of
    energy, None for zero; `real`: draw real R (for real f).
    """

    f: Callable[[Array, Array], Array]
    diagonal: Callable[[Array], Array] | None
    real: bool = eqx.field(static=True)
    is_random = True

    def __init__(
        self,
        f: Callable[[Array, Array], Array],
        diagonal: Callable[[Array], Array] | None = None,
        *,
        real: bool = False,
    ):
        if not callable(f):
            raise ValueError(f"`f` must be a function of two energies, but is {f!r}.")
        self.f = as_pytree(f)
        self.diagonal = None if diagonal is None else as_pytree(diagonal)
        self.real = real

    def _envelope(self, middle: Array, difference: Array) -> Array:
        envelope = jnp.broadcast_to(jnp.asarray(self.f(middle, difference)), middle.shape)
        return check(
            "f",
            envelope,
            "the conjugate of itself at the opposite energy difference",
            lambda xp, x: xp.abs(x - x.conj().T) <= AS_STATED * xp.max(xp.abs(x)),
        )

    def _volume(self, bath: WindowBath, energy: Array) -> Array:
        order = jnp.argsort(bath.centers)
        logs = jnp.log(bath.volume)[order]
        return jnp.exp(jnp.interp(energy, bath.centers[order], logs))

    def variance(self, bath: WindowBath) -> Float[Array, "windows windows"]:
        one, other = bath.centers[:, None], bath.centers[None, :]
        middle = 0.5 * (one + other)
        return jnp.abs(self._envelope(middle, one - other)) ** 2 / self._volume(bath, middle)

    def average(self, bath: WindowBath) -> Float[Array, " windows"]:
        if self.diagonal is None:
            return jnp.zeros(bath.windows)
        return jnp.broadcast_to(self.diagonal(bath.centers), (bath.windows,))

    def draw(
        self, key: PRNGKeyArray | None, bath: WindowBath, levels: Float[Array, " levels"]
    ) -> Inexact[Array, "levels levels"]:
        one, other = levels[:, None], levels[None, :]
        middle = 0.5 * (one + other)
        envelope = self._envelope(middle, one - other)
        noise = _gaussian(key, bath.size, real=self.real)
        matrix = envelope * noise / jnp.sqrt(self._volume(bath, middle))
        if self.diagonal is None:
            return matrix
        return matrix + jnp.diag(jnp.broadcast_to(self.diagonal(levels), (bath.size,)))

    def check(self, bath: WindowBath) -> None:
        # what is traced is checked when the program runs
        if not any(map(is_traced, jax.tree.leaves((self, bath)))):
            with jax.ensure_compile_time_eval():
                self.variance(bath)


class Explicit(AbstractCouplingMatrix):
    """A given Hermitian matrix over the bath's levels; its rates are the heuristic ones."""

    entries: Inexact[Array, "levels levels"]
    is_random = False

    def __init__(self, entries: Numbers):
        self.entries = hermitian_matrix("matrix", entries)

    def draw(
        self, key: PRNGKeyArray | None, bath: WindowBath, levels: Float[Array, " levels"]
    ) -> Inexact[Array, "levels levels"]:
        del key, bath, levels
        return self.entries

    def centered(self, bath: WindowBath) -> Inexact[Array, "levels levels"]:
        r"""$B - \sum_E \langle B\rangle_E \Pi_E$ (Riera Eq. 8)."""
        return self.entries - jnp.diag(self.average(bath)[bath.window_of_level])

    def mean(self, bath: WindowBath) -> Windows:
        return block_mean(self.centered(bath), bath)

    def variance(self, bath: WindowBath) -> Float[Array, "windows windows"]:
        square = block_mean(jnp.abs(self.centered(bath)) ** 2, bath)
        return square - jnp.abs(self.mean(bath)) ** 2

    def average(self, bath: WindowBath) -> Float[Array, " windows"]:
        return (jnp.diagonal(self.entries).real @ _members(bath)) / bath.volume

    def connects(self, bath: WindowBath) -> Bool[np.ndarray, "windows windows"]:
        if is_traced(self.entries):
            return super().connects(bath)
        members = _members(bath)
        return members.T @ (np.asarray(self.entries) != 0) @ members > 0

    def check(self, bath: WindowBath) -> None:
        if self.entries.shape[0] != bath.size:
            raise ValueError(
                f"`matrix` must have one row per level of the bath ({bath.size}), "
                f"but has shape {self.entries.shape}."
            )


def mean_product(
    first: AbstractCouplingMatrix,
    second: AbstractCouplingMatrix,
    bath: WindowBath,
    *,
    same: bool,
) -> Windows:
    r"""$\langle B'^{*}_{ij} B_{ij}\rangle$ over window pairs, for the rates (Riera Eqs. A10, A18).

    `same`: whether both are one coupling; draws of different couplings are independent.
    """
    if isinstance(first, Explicit) and isinstance(second, Explicit):
        return block_mean(second.centered(bath).conj() * first.centered(bath), bath)
    product = second.mean(bath).conj() * first.mean(bath)
    return product.real + first.variance(bath) if same else product


def block_mean(matrix: Inexact[Array, "levels levels"], bath: WindowBath) -> Windows:
    """Mean over the levels of each pair of windows."""
    members = jnp.asarray(_members(bath))
    return (members.T @ matrix @ members) / np.outer(bath.volume, bath.volume)


def _members(bath: WindowBath) -> np.ndarray:
    return np.equal.outer(bath.window_of_level, np.arange(bath.windows)).astype(float)


def _variance(value: Numbers) -> Float[Array, ""]:
    variance = finite_array("variance", value, ndim=0)
    return check("variance", variance, "non-negative", lambda xp, v: v >= 0)


def _root(variance: Array) -> Array:
    """Square root with slope 0 at 0, where the draw is zero whatever its sign."""
    positive = variance > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, variance, 1.0)), 0.0)


def _gaussian(key: PRNGKeyArray | None, size: int, *, real: bool) -> Array:
    """Hermitian, E|x_ij|^2 = 1 off the diagonal; on it 2 if real and 1 if complex."""
    dtype = jnp.float64 if real else jnp.complex128
    assert key is not None, "random matrices need a key"
    x = jax.random.normal(key, (size, size), dtype)
    return (x + x.conj().T) / np.sqrt(2.0)
