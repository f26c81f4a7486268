"""Starts of a small system and its baths."""

import abc
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact

from entropax._checks import Numbers, check, concrete, finite_array, hermitian_matrix, is_traced
from entropax._tolerances import AS_STATED
from entropax.equilibrium import gibbs_state
from entropax.linalg import modes
from entropax.model.windows.bath import WindowBath

_ONE = "`windows` or `beta` must be given, exactly one of them, an entry per bath."


@runtime_checkable
class Surroundings(Protocol):
    """What a start must know of its model: an `OpenSystem`."""

    @property
    def levels(self) -> int: ...

    @property
    def baths(self) -> tuple[Any, ...]: ...

    @property
    def hamiltonian(self) -> Inexact[Array, "d d"] | None: ...

    def in_eigenbasis(self, operator: Inexact[Array, "d d"]) -> Inexact[Array, "d d"]: ...

    def total_hamiltonian(self) -> Inexact[Array, "d d"]: ...


class AbstractStart(eqx.Module):
    """The state that a model starts in."""

    @abc.abstractmethod
    def check(self, levels: int, baths: tuple[Any, ...]) -> None:
        """`ValueError` where start and model do not fit."""


class AbstractSystemStart(AbstractStart):
    """A start that says what the system is in, whatever the baths are."""

    @abc.abstractmethod
    def system_state(self, model: Surroundings) -> Inexact[Array, "d d"]:
        """The density matrix, in the basis in which the system is given."""


class AbstractJointStart(AbstractStart):
    """A state that is diagonal in the baths' levels, and any state of the system beside each.

    Both views have shape (d, ...) where the system is diagonal too in its energies, and
    (d, d, ...) otherwise; the other axes are one a bath.
    """

    @property
    @abc.abstractmethod
    def is_diagonal(self) -> bool:
        """Whether the system has no coherences between energy eigenstates, known beforehand."""

    @abc.abstractmethod
    def on_windows(self, model: Surroundings) -> Inexact[Array, "..."]:
        """Conditional states of the system between energy eigenstates, a window of each bath."""

    @abc.abstractmethod
    def on_levels(
        self, model: Surroundings, energies: Sequence[Float[Array, " _"]]
    ) -> Inexact[Array, "..."]:
        """The same for each level of each bath, at their `energies`."""


class Product(AbstractSystemStart, AbstractJointStart):
    r"""$\rho_S \otimes \rho_1 \otimes \rho_2 \otimes \dots$

    **Arguments:**

    - `system`: an integer k for the energy eigenstate k, populations of the energy eigenstates
      (shape (d,)), or a density matrix (shape (d, d)) in the basis in which the system is given.
    - `windows`: one entry a bath: the index of the window that is evenly filled, or a
      distribution over windows.
    - `beta`: instead of `windows`, one finite inverse temperature a bath: canonical in its
      levels; the master equations see $V_E e^{-\beta E}/Z$ (Riera Eq. 55). A `ThermalBath` knows
      its temperature: then neither is given, and energy eigenstates are those of $H_0$, without
      the interaction.
    - `filling`: with `windows`, the fraction of each window's lowest levels that is filled
      (Riera's half-filled window: 0.5). The master equations do not see it.
    """

    system: Inexact[Array, "..."] | None
    weights: tuple[Float[Array, " _"] | None, ...]
    beta: Float[Array, " baths"] | None
    level: int | None = eqx.field(static=True)
    windows: tuple[int | None, ...] = eqx.field(static=True)
    filling: float = eqx.field(static=True)

    def __init__(
        self,
        system: int | Numbers,
        windows: Sequence[int | Numbers] | None = None,
        beta: Numbers | None = None,
        *,
        filling: float = 1.0,
    ):
        if isinstance(system, bool):
            raise ValueError(f"`system` must be a level or a state, but is {system}.")
        if windows is not None and not isinstance(windows, Sequence):
            raise ValueError(f"`windows` must be a sequence, one entry per bath, not {windows!r}.")
        named = isinstance(system, (int, np.integer))
        self.level = int(system) if named else None
        self.system = None if named else _system_state(system)
        if windows is not None and beta is not None:
            raise ValueError(_ONE)
        if not isinstance(filling, float | int) or not 0.0 < filling <= 1.0:
            raise ValueError(f"`filling` must be a number within (0, 1], but is {filling!r}.")
        if beta is not None and filling != 1.0:
            raise ValueError(f"`filling` must be 1 with `beta`, but is {filling!r}.")
        self.filling = float(filling)
        windows = () if windows is None else tuple(windows)
        self.windows = tuple(int(w) if isinstance(w, (int, np.integer)) else None for w in windows)
        self.weights = tuple(
            None if window is not None else distribution(f"windows[{i}]", w, 1)
            for i, (w, window) in enumerate(zip(windows, self.windows, strict=True))
        )
        self.beta = None if beta is None else finite_array("beta", beta, ndim=1)

    @property
    def is_diagonal(self) -> bool:
        return self.system is None or self.system.ndim == 1

    def check(self, levels: int, baths: tuple[Any, ...]) -> None:
        if self.level is not None and not 0 <= self.level < levels:
            raise ValueError(
                f"`system` must be the index of a level, 0 to {levels - 1}, but is {self.level}."
            )
        if self.system is not None and self.system.shape[0] != levels:
            raise ValueError(
                f"`system` must have the system's dimension ({levels}), "
                f"but has shape {self.system.shape}."
            )
        entries = self.windows if self.beta is None else self.beta
        if not isinstance(next(iter(baths), None), WindowBath):
            if len(entries):
                raise ValueError(
                    "`windows` and `beta` must be left out for ideal baths, which are thermal."
                )
            return
        if not len(entries):
            raise ValueError(_ONE)
        name = "windows" if self.beta is None else "beta"
        if len(entries) != len(baths):
            raise ValueError(
                f"`{name}` must have one entry per bath ({len(baths)}), but has {len(entries)}."
            )
        for i, (window, weights) in enumerate(zip(self.windows, self.weights, strict=True)):
            count = baths[i].windows
            if window is not None and not 0 <= window < count:
                raise ValueError(
                    f"`windows[{i}]` must be the index of a window, 0 to {count - 1}, "
                    f"but is {window}."
                )
            if weights is not None and weights.shape[0] != count:
                raise ValueError(
                    f"`windows[{i}]` must have one entry per window ({count}), "
                    f"but has {weights.shape[0]}."
                )

    def _weights(self, number: int, bath: WindowBath) -> Float[Array, " windows"]:
        if self.beta is not None:
            return jax.nn.softmax(jnp.log(bath.volume) - self.beta[number] * bath.centers)
        weights = self.weights[number]
        if weights is None:
            return jnp.zeros(bath.windows).at[self.windows[number]].set(1.0)
        return weights

    def _level_weights(self, number: int, bath: WindowBath, energies: Array) -> Array:
        if self.beta is not None:
            return jax.nn.softmax(-self.beta[number] * energies)
        filled = np.array([max(1, round(self.filling * v)) for v in bath.volumes])
        where = bath.window_of_level
        ranks = np.concatenate([np.arange(v) for v in bath.volumes])
        order = jnp.lexsort((energies, jnp.asarray(where)))
        rank = jnp.zeros_like(order).at[order].set(ranks)
        share = (rank < filled[where]) / filled[where]
        return self._weights(number, bath)[where] * share

    def _populations_or_state(self, model: Surroundings) -> Inexact[Array, "..."]:
        if self.system is None:
            return jnp.zeros(model.levels).at[self.level].set(1.0)
        return self.system if self.system.ndim == 1 else model.in_eigenbasis(self.system)

    def system_state(self, model: Surroundings) -> Inexact[Array, "d d"]:
        if self.system is not None and self.system.ndim == 2:
            return self.system
        populations = jnp.diag(self._populations_or_state(model))
        if model.hamiltonian is None:
            return populations
        vectors = modes(model.hamiltonian)[1]
        return vectors @ populations @ vectors.conj().T

    def on_windows(self, model: Surroundings) -> Inexact[Array, "..."]:
        parts = [self._weights(i, bath) for i, bath in enumerate(model.baths)]
        return _outer(self._populations_or_state(model), parts)

    def on_levels(
        self, model: Surroundings, energies: Sequence[Float[Array, " _"]]
    ) -> Inexact[Array, "..."]:
        parts = [
            self._level_weights(i, bath, e)
            for i, (bath, e) in enumerate(zip(model.baths, energies, strict=True))
        ]
        return _outer(self._populations_or_state(model), parts)


class Gibbs(AbstractSystemStart):
    r"""$e^{-\beta H_S}/Z$ with the Hamiltonian of the start, interaction included.

    **Arguments:** `beta`: finite; for a system between ideal baths.
    """

    beta: Float[Array, ""]

    def __init__(self, beta: Numbers):
        self.beta = finite_array("beta", beta, ndim=0)

    def check(self, levels: int, baths: tuple[Any, ...]) -> None:
        del levels
        if isinstance(next(iter(baths), None), WindowBath):
            raise ValueError(
                "`start` must be a Product or a Joint where baths are made of windows."
            )

    def system_state(self, model: Surroundings) -> Inexact[Array, "d d"]:
        return gibbs_state(model.total_hamiltonian(), self.beta)


class Joint(AbstractJointStart):
    r"""Any joint distribution $p(\epsilon_k, E_1, E_2, \dots)$, even inside each window.

    **Arguments:** `probabilities`: shape (d, windows of the first bath, ...), non-negative, sum 1.
    """

    probabilities: Float[Array, "..."]

    def __init__(self, probabilities: Numbers):
        self.probabilities = distribution("probabilities", probabilities, np.ndim(probabilities))

    @property
    def is_diagonal(self) -> bool:
        return True

    def check(self, levels: int, baths: tuple[Any, ...]) -> None:
        if not isinstance(next(iter(baths), None), WindowBath):
            raise ValueError("`start` must be a Product or a Gibbs where baths are ideal.")
        shape = (levels, *(bath.windows for bath in baths))
        if self.probabilities.shape != shape:
            raise ValueError(
                f"`probabilities` must have shape {shape}, levels times windows of each bath, "
                f"but has {self.probabilities.shape}."
            )

    def on_windows(self, model: Surroundings) -> Inexact[Array, "..."]:
        del model
        return self.probabilities

    def on_levels(
        self, model: Surroundings, energies: Sequence[Float[Array, " _"]]
    ) -> Inexact[Array, "..."]:
        del energies
        p = self.probabilities
        for axis, bath in enumerate(model.baths, start=1):
            where = bath.window_of_level
            shape = [-1 if i == axis else 1 for i in range(p.ndim)]
            p = jnp.take(p, where, axis=axis) / bath.volume[where].reshape(shape)
        return p


def distribution(name: str, value: Numbers, ndim: int) -> Float[Array, "..."]:
    """`value` as non-negative numbers that add up to 1."""
    p = finite_array(name, value, ndim=ndim)
    p = check(name, p, "non-negative", lambda xp, x: x >= 0)
    return check(name, p, "normalised to 1", lambda xp, x: xp.abs(xp.sum(x) - 1) < AS_STATED)


def _system_state(system: Numbers) -> Inexact[Array, "..."]:
    if np.ndim(system) == 1:
        if jnp.iscomplexobj(system):
            raise ValueError(
                "`system` must be populations, which are real, or a density matrix; that of a ket "
                "is `numpy.outer(ket, ket.conj())`."
            )
        return distribution("system", system, 1)
    rho = hermitian_matrix("system", system)
    if not is_traced(bare := concrete(rho)):
        trace, lowest = np.trace(bare).real, np.min(np.linalg.eigvalsh(bare), initial=0.0)
        if abs(trace - 1) >= AS_STATED:
            raise ValueError(f"`system` must be of unit trace, but has trace {trace}.")
        if lowest <= -AS_STATED:
            raise ValueError(f"`system` must be positive, but has the eigenvalue {lowest}.")
        return rho
    rho = check(
        "system", rho, "of unit trace", lambda xp, x: xp.abs(xp.trace(x).real - 1) < AS_STATED
    )
    return check("system", rho, "positive", lambda xp, x: xp.linalg.eigvalsh(x) > -AS_STATED)


def _outer(system: Array, parts: Sequence[Array]) -> Array:
    for part in parts:
        system = system[..., None] * part
    return system
