"""Starts of a small system and its baths."""

import abc
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact, PRNGKeyArray

from entropax._checks import (
    Numbers,
    check,
    concrete,
    finite_array,
    finite_numbers,
    hermitian_matrix,
    is_traced,
)
from entropax._tolerances import AS_STATED
from entropax.equilibrium import gibbs_state
from entropax.linalg import modes
from entropax.model.windows.bath import WindowBath

_ONE = "`windows`, `beta` or `states` must be given, exactly one of them, an entry per bath."


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


class Kets(NamedTuple):
    r"""A state $\rho = X C X^\dagger$: orthonormal `columns` X over levels of the system and of
    each bath, and the `weights` C between them.
    """

    columns: Inexact[Array, "..."]
    weights: Inexact[Array, "r r"]


class AbstractJointStart(AbstractStart):
    """A state of the system and its window baths.

    What windows and levels hold has shape (d, ...) where the system is diagonal in its energies,
    and (d, d, ...) otherwise; the other axes are one a bath.
    """

    @property
    @abc.abstractmethod
    def is_diagonal(self) -> bool:
        """Whether the system has no coherences between energy eigenstates, known beforehand."""

    @property
    @abc.abstractmethod
    def is_incoherent(self) -> bool:
        """Whether the baths are diagonal in their levels: then `on_levels` is the state, and
        `kets` is where they are not.
        """

    @property
    @abc.abstractmethod
    def is_random(self) -> bool:
        """Whether the state is drawn."""

    @abc.abstractmethod
    def on_windows(self, model: Surroundings) -> Inexact[Array, "..."]:
        """Conditional states of the system between energy eigenstates, a window of each bath."""

    @abc.abstractmethod
    def on_levels(
        self, model: Surroundings, energies: Sequence[Float[Array, " _"]]
    ) -> Inexact[Array, "..."]:
        """The same for each level of each bath, at their `energies`."""

    @abc.abstractmethod
    def kets(
        self,
        model: Surroundings,
        energies: Sequence[Float[Array, " _"]],
        keys: Sequence[PRNGKeyArray | None],
    ) -> Kets:
        """The state between all levels; `keys`: one a bath, where it is drawn."""


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
      (Riera's half-filled window: 0.5).
    - `pure`: each bath in one random pure state of `windows` (evenly distributed over the states
      of each, which has the weight stated) or of `beta` (canonical typicality:
      $\sqrt{p_i}\,g_i$, g complex Gaussian), drawn by the method's key.
    - `states`: instead of `windows`, one ket or density matrix a bath, over its levels.

    The master equations see the weight of each window alone.
    """

    system: Inexact[Array, "..."] | None
    weights: tuple[Float[Array, " _"] | None, ...]
    beta: Float[Array, " baths"] | None
    states: tuple[Inexact[Array, "..."], ...]
    level: int | None = eqx.field(static=True)
    windows: tuple[int | None, ...] = eqx.field(static=True)
    filling: float = eqx.field(static=True)
    pure: bool = eqx.field(static=True)

    def __init__(
        self,
        system: int | Numbers,
        windows: Sequence[int | Numbers] | None = None,
        beta: Numbers | None = None,
        *,
        filling: float = 1.0,
        pure: bool = False,
        states: Sequence[Numbers] | None = None,
    ):
        if isinstance(system, bool):
            raise ValueError(f"`system` must be a level or a state, but is {system}.")
        if windows is not None and not isinstance(windows, Sequence):
            raise ValueError(f"`windows` must be a sequence, one entry per bath, not {windows!r}.")
        named = isinstance(system, (int, np.integer))
        self.level = int(system) if named else None
        self.system = None if named else _system_state(system)
        if sum(state is not None for state in (windows, beta, states)) > 1:
            raise ValueError(_ONE)
        if states is not None and not isinstance(states, Sequence):
            raise ValueError(f"`states` must be a sequence, one entry per bath, not {states!r}.")
        if not isinstance(pure, bool) or (pure and states is not None):
            raise ValueError(
                f"`pure` must be True or False, and left out with `states`, but is {pure!r}."
            )
        self.pure = pure
        self.states = tuple(
            quantum_state(f"states[{i}]", state) for i, state in enumerate(states or ())
        )
        if not isinstance(filling, float | int) or not 0.0 < filling <= 1.0:
            raise ValueError(f"`filling` must be a number within (0, 1], but is {filling!r}.")
        if windows is None and filling != 1.0:
            raise ValueError(f"`filling` must be 1 without `windows`, but is {filling!r}.")
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

    @property
    def is_incoherent(self) -> bool:
        return not (self.pure or self.states)

    @property
    def is_random(self) -> bool:
        return self.pure

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
        name, entries = "windows", self.windows
        if self.beta is not None:
            name, entries = "beta", self.beta
        elif self.states:
            name, entries = "states", self.states
        if not isinstance(next(iter(baths), None), WindowBath):
            if len(entries) or self.pure:
                raise ValueError(
                    "`windows`, `beta`, `states` and `pure` must be left out for ideal baths, "
                    "which are thermal."
                )
            return
        if not len(entries):
            raise ValueError(_ONE)
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
        for i, (state, bath) in enumerate(zip(self.states, baths, strict=False)):
            if state.shape[0] != bath.size:
                raise ValueError(
                    f"`states[{i}]` must have one entry per level of its bath ({bath.size}), "
                    f"but has {state.shape[0]}."
                )

    def _weights(self, number: int, bath: WindowBath) -> Float[Array, " windows"]:
        if self.states:
            state = self.states[number]
            share = jnp.abs(state) ** 2 if state.ndim == 1 else jnp.diagonal(state).real
            return jnp.zeros(bath.windows).at[bath.window_of_level].add(share)
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

    def kets(
        self,
        model: Surroundings,
        energies: Sequence[Float[Array, " _"]],
        keys: Sequence[PRNGKeyArray | None],
    ) -> Kets:
        system = self._populations_or_state(model)
        columns = jnp.eye(model.levels, dtype=complex)
        weights = jnp.diag(system) if system.ndim == 1 else system
        if self.level is not None:
            columns, weights = columns[:, self.level : self.level + 1], jnp.ones((1, 1))
        for number, (bath, levels) in enumerate(zip(model.baths, energies, strict=True)):
            inner, between = self._kets_of_bath(number, bath, levels, keys[number])
            columns = jnp.einsum("...r,ls->...lrs", columns, inner)
            columns = columns.reshape(*columns.shape[:-2], -1)
            weights = jnp.kron(weights, between)
        return Kets(columns, weights)

    def _kets_of_bath(
        self, number: int, bath: WindowBath, energies: Array, key: PRNGKeyArray | None
    ) -> tuple[Array, Array]:
        """Columns over the levels of one bath, and the weights between them."""
        if self.states and (state := self.states[number]).ndim == 2:
            return jnp.eye(bath.size), state
        one = jnp.ones((1, 1))
        if self.states:
            return self.states[number][:, None], one
        assert key is not None, "random states need a key"
        ket = jax.random.normal(key, (bath.size,), complex)
        ket = ket * _root(self._level_weights(number, bath, energies))
        size = jnp.abs(ket) ** 2
        if self.beta is not None:
            return (ket / jnp.sqrt(jnp.sum(size)))[:, None], one
        where = bath.window_of_level
        filled = jnp.zeros(bath.windows).at[where].add(size)
        share = self._weights(number, bath) / jnp.where(filled > 0, filled, 1.0)
        return (ket * _root(share)[where])[:, None], one


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
                "`start` must be a Product, a Joint or a JointState where baths are made of "
                "windows."
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

    @property
    def is_incoherent(self) -> bool:
        return True

    @property
    def is_random(self) -> bool:
        return False

    def check(self, levels: int, baths: tuple[Any, ...]) -> None:
        _require_windows(baths)
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

    def kets(
        self,
        model: Surroundings,
        energies: Sequence[Float[Array, " _"]],
        keys: Sequence[PRNGKeyArray | None],
    ) -> Kets:
        del model, energies, keys
        raise TypeError("a Joint is diagonal: `on_levels` is its state")


class JointState(AbstractJointStart):
    r"""Any state of system and baths together, entangled or mixed.

    **Arguments:** `state`: a ket, shape (D,), or a density matrix, shape (D, D), over the energy
    eigenstates of the system times the levels of the first bath times those of the second, ...,
    the last of them running fastest (as in `numpy.kron`).

    The master equations see $\mathrm{tr}_B[\Pi_E\,\rho]$: the state of the system beside each
    window.
    """

    state: Inexact[Array, "..."]

    def __init__(self, state: Numbers):
        self.state = quantum_state("state", state)

    @property
    def is_diagonal(self) -> bool:
        return False

    @property
    def is_incoherent(self) -> bool:
        return False

    @property
    def is_random(self) -> bool:
        return False

    def check(self, levels: int, baths: tuple[Any, ...]) -> None:
        _require_windows(baths)
        size = levels * int(np.prod([bath.size for bath in baths]))
        if self.state.shape[0] != size:
            raise ValueError(
                f"`state` must have one entry per level of everything ({size}), "
                f"but has {self.state.shape[0]}."
            )

    def on_windows(self, model: Surroundings) -> Inexact[Array, "..."]:
        sizes = [bath.size for bath in model.baths]
        if self.state.ndim == 1:
            psi = self.state.reshape(model.levels, *sizes)
            beside = psi[:, None] * psi[None].conj()
        else:
            count = int(np.prod(sizes))
            both = self.state.reshape(model.levels, count, model.levels, count)
            beside = jnp.einsum("kiqi->kqi", both).reshape(model.levels, model.levels, *sizes)
        for axis, bath in enumerate(model.baths, start=2):
            levels = jnp.moveaxis(beside, axis, 0)
            summed = jnp.zeros((bath.windows, *levels.shape[1:]), levels.dtype)
            beside = jnp.moveaxis(summed.at[bath.window_of_level].add(levels), 0, axis)
        return beside

    def on_levels(
        self, model: Surroundings, energies: Sequence[Float[Array, " _"]]
    ) -> Inexact[Array, "..."]:
        del model, energies
        raise TypeError("a JointState need not be diagonal: `kets` is its state")

    def kets(
        self,
        model: Surroundings,
        energies: Sequence[Float[Array, " _"]],
        keys: Sequence[PRNGKeyArray | None],
    ) -> Kets:
        del energies, keys
        shape = (model.levels, *(bath.size for bath in model.baths), -1)
        if self.state.ndim == 1:
            return Kets(self.state.reshape(shape), jnp.ones((1, 1)))
        return Kets(jnp.eye(self.state.shape[0]).reshape(shape), self.state)


def _root(weights: Float[Array, " n"]) -> Float[Array, " n"]:
    """Roots, whose slope at an empty one is taken for 0."""
    is_filled = weights > 0
    return jnp.where(is_filled, jnp.sqrt(jnp.where(is_filled, weights, 1.0)), 0.0)


def _require_windows(baths: tuple[Any, ...]) -> None:
    if not isinstance(next(iter(baths), None), WindowBath):
        raise ValueError("`start` must be a Product or a Gibbs where baths are ideal.")


def quantum_state(name: str, value: Numbers) -> Inexact[Array, "..."]:
    """`value` as a ket of norm 1, or as a density matrix."""
    if np.ndim(value) == 2:
        return density_matrix(name, value)
    ket = finite_numbers(name, value, ndim=1)
    rule = "of norm 1"
    return check(name, ket, rule, lambda xp, x: xp.abs(xp.sum(xp.abs(x) ** 2) - 1) < AS_STATED)


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
    return density_matrix("system", system)


def density_matrix(name: str, value: Numbers) -> Inexact[Array, "d d"]:
    """`value` as a Hermitian, positive matrix of unit trace."""
    rho = hermitian_matrix(name, value)
    if not is_traced(bare := concrete(rho)):
        trace, lowest = np.trace(bare).real, np.min(np.linalg.eigvalsh(bare), initial=0.0)
        if abs(trace - 1) >= AS_STATED:
            raise ValueError(f"`{name}` must be of unit trace, but has trace {trace}.")
        if lowest <= -AS_STATED:
            raise ValueError(f"`{name}` must be positive, but has the eigenvalue {lowest}.")
        return rho
    rho = check(name, rho, "of unit trace", lambda xp, x: xp.abs(xp.trace(x).real - 1) < AS_STATED)
    return check(name, rho, "positive", lambda xp, x: xp.linalg.eigvalsh(x) > -AS_STATED)


def _outer(system: Array, parts: Sequence[Array]) -> Array:
    for part in parts:
        system = system[..., None] * part
    return system
