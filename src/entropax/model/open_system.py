"""A small quantum system coupled to baths."""

from collections.abc import Sequence

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float, Inexact

from entropax._checks import Numbers, finite_array, hermitian_matrix, is_traced
from entropax.linalg import modes
from entropax.model.matrices import AbstractCouplingMatrix, Explicit
from entropax.model.starts import AbstractStart
from entropax.model.windows import WindowBath


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
    - `couplings`: one `Coupling` or more. Couplings with the same bath object share that bath;
      baths are numbered in order of first appearance.
    - `start`: a `Product` or a `Joint`.
    - `hamiltonian`: instead of `energies`, $H_S$ as a Hermitian matrix; k then numbers its
      eigenstates, ascending, and operators are given in the matrix's basis.

    In the couplings kept, `bath` is None where the bath is that of an earlier coupling.
    """

    energies: Float[Array, " d"] | None
    hamiltonian: Inexact[Array, "d d"] | None
    couplings: tuple[Coupling, ...]
    start: AbstractStart
    bath_of_coupling: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self,
        energies: Numbers | None = None,
        couplings: Sequence[Coupling] = (),
        start: AbstractStart | None = None,
        *,
        hamiltonian: Numbers | None = None,
    ):
        if (energies is None) == (hamiltonian is None):
            raise ValueError("`energies` or `hamiltonian` must be given, exactly one of them.")
        self.energies = None if energies is None else finite_array("energies", energies, ndim=1)
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
        return given.shape[0]

    @property
    def baths(self) -> tuple[WindowBath, ...]:
        """The baths, in the order of their numbers."""
        return tuple(c.bath for c in self.couplings if c.bath is not None)

    @property
    def sites(self) -> int:
        """Number of numbers that describe a coarse-grained state: levels times windows."""
        return self.levels * int(np.prod([bath.windows for bath in self.baths]))

    def spectrum(self) -> tuple[Float[Array, " d"], Inexact[Array, "d d"] | None]:
        """Energies, and eigenvectors as columns (None where the system is given by energies)."""
        if self.hamiltonian is None:
            assert self.energies is not None
            return self.energies, None
        return modes(self.hamiltonian)

    def in_eigenbasis(self, operator: Inexact[Array, "d d"]) -> Inexact[Array, "d d"]:
        """Matrix elements of an operator between energy eigenstates."""
        vectors = self.spectrum()[1]
        return operator if vectors is None else vectors.conj().T @ operator @ vectors

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
