"""A small quantum system coupled to baths."""

from collections.abc import Callable, Sequence
from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact

from entropax._checks import (
    Numbers,
    check,
    check_against,
    finite_array,
    hermitian_matrix,
    is_traced,
)
from entropax.linalg import modes
from entropax.model.matrices import AbstractCouplingMatrix, Explicit
from entropax.model.starts import AbstractStart
from entropax.model.windows import WindowBath
from entropax.protocol import AbstractProtocol, protocol

Interval = tuple[Float[Array, ""], Float[Array, ""]]
"""First and last time of a stretch without a break."""

BEFORE: Interval = (-1.0, 0.0)  # pyright: ignore[reportAssignmentType]
"""The time before the start."""


class Coupling(eqx.Module):
    r"""$\lambda\, S \otimes B$ between a system and a bath.

    **Arguments:**

    - `operator`: S, Hermitian, shape (d, d), in the basis in which the system is given.
    - `bath`: the bath; couplings that are handed the same object share one bath.
    - `strength`: $\lambda$.
    - `matrix`: B: an ensemble (`RandomBands`, `GOE`, `GUE`, `EigenstateThermalization`) or a
      Hermitian array over the bath's levels.
    """

    operator: Inexact[Array, "d d"]
    bath: WindowBath | None
    strength: Float[Array, ""]
    matrix: AbstractCouplingMatrix

    def __init__(
        self,
        operator: Numbers,
        bath: WindowBath,
        strength: Numbers = 1.0,
        matrix: AbstractCouplingMatrix | Numbers | None = None,
    ):
        self.operator = hermitian_matrix("operator", operator)
        if not isinstance(bath, WindowBath):
            raise ValueError(f"`bath` must be a WindowBath, but is {type(bath).__name__}.")
        self.bath = bath
        self.strength = finite_array("strength", strength, ndim=0)
        if matrix is None:
            raise ValueError(
                "`matrix` must be given for a WindowBath: RandomBands, GOE, GUE, "
                "EigenstateThermalization or a Hermitian array over its levels."
            )
        if isinstance(matrix, type):
            raise ValueError(f"`matrix` must be made first: {matrix.__name__}(...).")
        if not isinstance(matrix, AbstractCouplingMatrix):
            matrix = Explicit(matrix)
        matrix.check(bath)
        self.matrix = matrix


class OpenSystem(eqx.Module):
    r"""$H = H_S + \sum_\nu H_\nu + \sum_c \lambda_c\, S_c \otimes B_c$ (Riera, sections II and VI).

    **Arguments:**

    - `energies`: $\epsilon_k$, shape (d,), in any order; operators are then given in this basis.
      Entries may be protocols, $\epsilon_k(t)$: an `AbstractProtocol` or any function of time.
    - `couplings`: one `Coupling` or more. Couplings with the same bath object share that bath;
      baths are numbered in order of first appearance.
    - `start`: a `Product` or a `Joint`.
    - `hamiltonian`: instead of `energies`, $H_S$ as a Hermitian matrix; k then numbers its
      eigenstates, ascending, and operators are given in the matrix's basis.

    In the couplings kept, `bath` is None where the bath is that of an earlier coupling.
    """

    energies: Float[Array, " d"] | tuple[Float[Array, ""] | AbstractProtocol, ...] | None
    hamiltonian: Inexact[Array, "d d"] | None
    couplings: tuple[Coupling, ...]
    start: AbstractStart
    bath_of_coupling: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self,
        energies: Numbers | Sequence[Any] | None = None,
        couplings: Sequence[Coupling] = (),
        start: AbstractStart | None = None,
        *,
        hamiltonian: Numbers | None = None,
    ):
        if (energies is None) == (hamiltonian is None):
            raise ValueError("`energies` or `hamiltonian` must be given, exactly one of them.")
        self.energies = None if energies is None else _energies(energies)
        self.hamiltonian = (
            None if hamiltonian is None else hermitian_matrix("hamiltonian", hamiltonian)
        )
        if self.levels < 1:
            raise ValueError("`energies` must hold at least one energy, but is empty.")
        if isinstance(couplings, Coupling):
            raise ValueError("`couplings` must be a sequence, but is one Coupling: `(coupling,)`.")
        self.couplings, self.bath_of_coupling = self._numbered(tuple(couplings))
        if not isinstance(start, AbstractStart):
            raise ValueError(f"`start` must be a Product or a Joint, but is {start!r}.")
        start.check(self.levels, self.baths)
        self.start = start

    def _numbered(
        self, couplings: tuple[Coupling, ...]
    ) -> tuple[tuple[Coupling, ...], tuple[int, ...]]:
        if not couplings:
            raise ValueError("`couplings` must hold at least one Coupling, but is empty.")
        seen: list[WindowBath | None] = []
        numbered: list[Coupling] = []
        numbers: list[int] = []
        for index, coupling in enumerate(couplings):
            if not isinstance(coupling, Coupling):
                found = type(coupling).__name__
                raise ValueError(f"`couplings[{index}]` must be a Coupling, but is {found}.")
            if coupling.operator.shape[0] != self.levels:
                raise ValueError(
                    f"`couplings[{index}].operator` must have the system's dimension "
                    f"({self.levels}), but has shape {coupling.operator.shape}."
                )
            known = [i for i, bath in enumerate(seen) if bath is coupling.bath]
            if known:
                numbers.append(known[0])
                numbered.append(eqx.tree_at(lambda c: c.bath, coupling, None))
            else:
                numbers.append(len(seen))
                seen.append(coupling.bath)
                numbered.append(coupling)
        return tuple(numbered), tuple(numbers)

    @property
    def levels(self) -> int:
        """Dimension d of the system."""
        given = self.hamiltonian if self.energies is None else self.energies
        assert given is not None
        return len(given)

    @property
    def protocols(self) -> dict[int, AbstractProtocol]:
        """The driven energies, by level."""
        if not isinstance(self.energies, tuple):
            return {}
        return {k: e for k, e in enumerate(self.energies) if isinstance(e, AbstractProtocol)}

    @property
    def is_driven(self) -> bool:
        """Whether an energy depends on time."""
        return bool(self.protocols)

    @property
    def is_piecewise_constant(self) -> bool:
        """Whether all energies are constant between breaks."""
        return all(p.is_piecewise_constant for p in self.protocols.values())

    @property
    def breaks(self) -> Float[Array, " breaks"]:
        """Times at which an energy jumps or bends, ascending."""
        return jnp.sort(
            jnp.concatenate([jnp.zeros(0), *(p.breaks for p in self.protocols.values())])
        )

    def within(self, time: Float[Array, ""], stretch: Interval) -> Self:
        """The undriven model that has the energies of `time`, as seen from inside a stretch."""
        if not isinstance(self.energies, tuple):
            return self
        energies = [
            e.within(time, stretch) if isinstance(e, AbstractProtocol) else e for e in self.energies
        ]
        return eqx.tree_at(lambda m: m.energies, self, jnp.stack(energies))

    def before(self) -> Self:
        """The undriven model of the time before the start."""
        return self.within(jnp.zeros(()), BEFORE)

    def slopes(self, time: Float[Array, ""], stretch: Interval) -> Float[Array, " d"]:
        r"""$d\epsilon_k/dt$ inside a stretch."""
        rates = jnp.zeros(self.levels)
        for k, energy in self.protocols.items():
            rates = rates.at[k].set(energy.slope(time, stretch))
        return rates

    def require_defined(self, ts: Float[Array, " times"]) -> Float[Array, " times"]:
        """The times, checked against the domains and values of the protocols."""
        if not self.is_driven:
            return ts
        ts = check("ts", ts, "non-negative where energies are driven", lambda xp, t: t >= 0)
        for k, energy in self.protocols.items():
            name = f"energies[{k}]"
            first, last = energy.domain
            inside = f"where `{name}` is defined, which it must be from time 0 on"
            if not is_traced(first) and not is_traced(last):
                inside = f"{inside} ({float(first):g} to {float(last):g})"
            ts = check_against("ts", ts, inside, _inside(ts, first, last))
            with jax.ensure_compile_time_eval():
                values = jax.vmap(energy)(jnp.append(ts, 0.0))
            if not is_traced(values):  # what is traced is judged when the program has run
                check(name, values, "finite at 0 and at all of `ts`", lambda xp, x: xp.isfinite(x))
        return ts

    @property
    def baths(self) -> tuple[WindowBath, ...]:
        """The baths, in the order of their numbers."""
        return tuple(c.bath for c in self.couplings if c.bath is not None)

    @property
    def sites(self) -> int:
        """Number of numbers that describe a coarse-grained state: levels times windows."""
        return self.levels * int(np.prod([bath.windows for bath in self.baths]))

    def spectrum(self) -> tuple[Float[Array, " d"], Inexact[Array, "d d"] | None]:
        """Energies, and eigenvectors as columns (None where the system is given by energies).

        Of an undriven model: see `within`.
        """
        if self.hamiltonian is None:
            assert isinstance(self.energies, jax.Array), "the energies of one time, by `within`"
            return self.energies, None
        return modes(self.hamiltonian)

    def in_eigenbasis(self, operator: Inexact[Array, "d d"]) -> Inexact[Array, "d d"]:
        """Matrix elements of an operator between energy eigenstates."""
        if self.hamiltonian is None:
            return operator
        vectors = modes(self.hamiltonian)[1]
        return vectors.conj().T @ operator @ vectors

    def to_eigenbasis(self, vectors: Inexact[Array, "d n"]) -> Inexact[Array, "d n"]:
        """Vectors, as columns, by their components along energy eigenstates."""
        if self.hamiltonian is None:
            return vectors
        return modes(self.hamiltonian)[1].conj().T @ vectors

    def connected(self, coupling: Coupling) -> np.ndarray:
        """Which energy eigenstates an operator connects, as far as known beforehand."""
        if self.hamiltonian is not None or is_traced(coupling.operator):
            return np.ones((self.levels, self.levels), bool)
        return np.asarray(coupling.operator) != 0


def joint_volumes(model: OpenSystem) -> np.ndarray:
    """V_E = V_E1 V_E2 ..., one axis a bath."""
    total = np.ones(())
    for bath in model.baths:
        total = np.multiply.outer(total, bath.volume)
    return total


def _inside(ts: Array, first: Array, last: Array) -> Callable[[], Array]:
    return lambda: jnp.all((ts <= last) & (first <= 0.0))


def _energies(given: Any) -> Any:
    if not isinstance(given, Sequence) or not any(map(callable, given)):
        return finite_array("energies", given, ndim=1)
    entries = []
    for k, energy in enumerate(given):
        name = f"energies[{k}]"
        driven = callable(energy)
        entries.append(protocol(name, energy) if driven else finite_array(name, energy, ndim=0))
    return tuple(entries)
