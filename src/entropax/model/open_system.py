"""A small quantum system coupled to baths."""

import operator
from collections.abc import Callable, Sequence
from typing import Any, Generic, Self, TypeVar, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact

from entropax._checks import Numbers, check, concrete, finite_array, hermitian_matrix, is_traced
from entropax.linalg import modes
from entropax.model.coupling import Bath, Coupling, Drive, Jump
from entropax.model.driven import AbstractDriven, slope_within, value_within
from entropax.model.ideal.bath import ThermalBath
from entropax.model.starts import AbstractStart
from entropax.model.windows.bath import WindowBath
from entropax.protocol import AbstractProtocol, Interval, Time, as_protocol

BathT = TypeVar("BathT", bound=Bath)
StartT = TypeVar("StartT", bound=AbstractStart)


class OpenSystem(AbstractDriven, Generic[BathT, StartT]):
    r"""$H = H_S + \sum_\nu H_\nu + \sum_c \lambda_c\, S_c \otimes B_c$ (Riera, sections II and VI).

    **Arguments:**

    - `energies`: $\epsilon_k$, shape (d,), in any order; operators are then given in this basis.
      Entries may be protocols, $\epsilon_k(t)$: an `AbstractProtocol` or any function of time.
    - `couplings`: `Coupling`s, and `Jump`s where baths are ideal; none for a system alone. Those
      with the same bath object share that bath; baths are numbered in order of first appearance,
      and all are of one kind, `WindowBath` or `ThermalBath`.
    - `start`: a `Product`, a `Joint` or a `JointState`; a `Product` or `Gibbs` where baths are
      ideal.
    - `hamiltonian`: instead of `energies`, $H_0$ as a Hermitian matrix; k then numbers its
      eigenstates, ascending, and operators are given in the matrix's basis.

    $H_S(t) = H_0(t) + V + \sum_i f_i(t) V_i$, $H_0$ what `energies` or `hamiltonian` give:

    - `interaction`: V, Hermitian: of the parts of the system with each other.
    - `drives`: a `Drive` for each $f_i(t) V_i$.
    - `frame`, with ideal baths: G, Hermitian, commuting with $H_0$: V stands for
      $e^{-iGt} V e^{iGt}$, a drive that rotates, and states are those of the rotating frame,
      $e^{iGt}\rho\,e^{-iGt}$. For dissipators that do not see the drive: `Local` and `Lindblad`.

    Window baths are seen beside the eigenstates of $H_0$, also where V and drives mix these.

    In the couplings kept, `bath` is None where the bath is that of an earlier coupling.
    """

    energies: Float[Array, " d"] | tuple[Float[Array, ""] | AbstractProtocol, ...] | None
    hamiltonian: Inexact[Array, "d d"] | None
    couplings: tuple[Coupling | Jump, ...]
    start: StartT
    interaction: Inexact[Array, "d d"] | None
    drives: tuple[Drive, ...]
    frame: Inexact[Array, "d d"] | None
    bath_of_coupling: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self,
        energies: Numbers | Sequence[Any] | None = None,
        couplings: Sequence[Coupling | Jump] = (),
        start: AbstractStart | None = None,
        *,
        hamiltonian: Numbers | None = None,
        interaction: Numbers | None = None,
        drives: Sequence[Drive] = (),
        frame: Numbers | None = None,
    ):
        if (energies is None) == (hamiltonian is None):
            raise ValueError("`energies` or `hamiltonian` must be given, exactly one of them.")
        self.energies = None if energies is None else _energies(energies)
        self.hamiltonian = (
            None if hamiltonian is None else hermitian_matrix("hamiltonian", hamiltonian)
        )
        if self.levels < 1:
            raise ValueError("`energies` must hold at least one energy, but is empty.")
        if isinstance(couplings, Coupling | Jump):
            raise ValueError("`couplings` must be a sequence, but is one Coupling: `(coupling,)`.")
        self.couplings, self.bath_of_coupling = self._numbered(tuple(couplings))
        self.interaction = self._operator("interaction", interaction)
        self.frame = self._operator("frame", frame)
        if self.frame is not None and not self.is_ideal:
            raise ValueError("`frame` must be left out where baths are made of windows.")
        self.drives = self._drives(drives)
        if not isinstance(start, AbstractStart):
            raise ValueError(
                f"`start` must be a Product, a Joint, a JointState or a Gibbs, but is {start!r}."
            )
        start.check(self.levels, self.baths)
        self.start = cast(StartT, start)

    def _numbered(
        self, couplings: tuple[Coupling | Jump, ...]
    ) -> tuple[tuple[Coupling | Jump, ...], tuple[int, ...]]:
        seen: list[Bath | None] = []
        numbered: list[Coupling | Jump] = []
        numbers: list[int] = []
        for index, coupling in enumerate(couplings):
            if not isinstance(coupling, Coupling | Jump):
                kind = type(coupling).__name__
                raise ValueError(f"`couplings[{index}]` must be a Coupling, but is {kind}.")
            if coupling.operator.shape[0] != self.levels:
                raise ValueError(
                    f"`couplings[{index}].operator` must have the system's dimension "
                    f"({self.levels}), but has shape {coupling.operator.shape}."
                )
            same = [i for i, bath in enumerate(seen) if bath is coupling.bath]
            if same:
                numbers.append(same[0])
                numbered.append(eqx.tree_at(lambda c: c.bath, coupling, None))
            else:
                if seen and type(seen[0]) is not type(coupling.bath):
                    kinds = f"{type(seen[0]).__name__} and {type(coupling.bath).__name__}"
                    raise ValueError(f"`couplings` must have baths of one kind, but have {kinds}.")
                numbers.append(len(seen))
                seen.append(coupling.bath)
                numbered.append(coupling)
        return tuple(numbered), tuple(numbers)

    def _operator(self, name: str, value: Numbers | None) -> Inexact[Array, "d d"] | None:
        if value is None:
            return None
        matrix = hermitian_matrix(name, value)
        if matrix.shape[0] != self.levels:
            raise ValueError(
                f"`{name}` must have the system's dimension ({self.levels}), "
                f"but has shape {matrix.shape}."
            )
        return matrix

    def _drives(self, drives: Sequence[Drive]) -> tuple[Drive, ...]:
        if isinstance(drives, Drive):
            raise ValueError("`drives` must be a sequence, but is one Drive: `(drive,)`.")
        for index, drive in enumerate(drives):
            if not isinstance(drive, Drive):
                kind = type(drive).__name__
                raise ValueError(f"`drives[{index}]` must be a Drive, but is {kind}.")
            self._operator(f"drives[{index}].operator", drive.operator)
        return tuple(drives)

    @property
    def levels(self) -> int:
        """Dimension d of the system."""
        if self.hamiltonian is not None:
            return self.hamiltonian.shape[0]
        return len(cast(Any, self.energies))

    @property
    def is_ideal(self) -> bool:
        """Whether the baths are ideal; so they are where there is none."""
        return all(isinstance(bath, ThermalBath) for bath in self.baths)

    @property
    def protocols(self) -> dict[str, AbstractProtocol]:
        """All that is driven, by name."""
        energies = self.energies if isinstance(self.energies, tuple) else ()
        named = {f"energies[{k}]": energy for k, energy in enumerate(energies)}
        named |= {f"drives[{i}].protocol": drive.protocol for i, drive in enumerate(self.drives)}
        for index, coupling in enumerate(self.couplings):
            named[f"couplings[{index}].{coupling.size_name}"] = coupling.size
        return {name: p for name, p in named.items() if isinstance(p, AbstractProtocol)}

    def within(self, time: Time, stretch: Interval) -> Self:
        """The undriven model of `time`, as seen from inside a stretch."""

        def value(number: Any) -> Array:
            return value_within(number, time, stretch)

        changed: list[tuple[Callable[[Self], Any], Any]] = []
        if isinstance(self.energies, tuple):
            changed.append((lambda m: m.energies, jnp.stack([value(e) for e in self.energies])))
        if self.drives:
            total = jnp.zeros((self.levels,) * 2) if self.interaction is None else self.interaction
            for drive in self.drives:
                total = total + value(drive.protocol) * drive.operator
            changed += [(lambda m: m.interaction, total), (lambda m: m.drives, ())]
        for index, coupling in enumerate(self.couplings):
            if isinstance(coupling.size, AbstractProtocol):
                where = operator.attrgetter(coupling.size_name)
                fixed = eqx.tree_at(where, coupling, value(coupling.size))
                changed.append((lambda m, index=index: m.couplings[index], fixed))
        model = self
        for where, new in changed:
            model = eqx.tree_at(where, model, new, is_leaf=lambda x: x is None)
        return model

    def require_defined(self, ts: Float[Array, " times"]) -> Float[Array, " times"]:
        ts = super().require_defined(ts)
        for index, coupling in enumerate(self.couplings):
            if isinstance(coupling, Jump) and isinstance(coupling.rate, AbstractProtocol):
                with jax.ensure_compile_time_eval():
                    rates = concrete(jax.vmap(coupling.rate)(jnp.append(ts, 0.0)))
                rule = "non-negative at 0 and at all of `ts`"
                if not is_traced(rates):
                    check(f"couplings[{index}].rate", rates, rule, lambda xp, g: g >= 0)
        return ts

    def slopes(self, time: Time, stretch: Interval) -> Float[Array, " d"]:
        r"""$d\epsilon_k/dt$ inside a stretch."""
        if not isinstance(self.energies, tuple):
            return jnp.zeros(self.levels)
        return jnp.stack([slope_within(e, time, stretch) for e in self.energies])

    def hamiltonian_slope(self, time: Time, stretch: Interval) -> Inexact[Array, "d d"]:
        r"""$dH_S/dt$ inside a stretch; in the rotating frame, where there is one."""
        total = jnp.diag(self.slopes(time, stretch))
        for drive in self.drives:
            total = total + drive.protocol.slope(time, stretch) * drive.operator
        turning = self.within(time, stretch).frame_slope()
        return total if turning is None else total + turning

    def frame_slope(self) -> Inexact[Array, "d d"] | None:
        """$-i[G, V]$ of an undriven model, the slope of an interaction that rotates."""
        if self.frame is None or self.interaction is None:
            return None
        product = self.frame @ self.interaction
        return -1j * (product - product.conj().T)

    @property
    def baths(self) -> tuple[BathT, ...]:
        """The baths, in the order of their numbers."""
        return tuple(cast(BathT, c.bath) for c in self.couplings if c.bath is not None)

    @property
    def extent(self) -> dict[str, int]:
        """How large it is, by the name of what is counted."""
        return {"dimension": self.dimension}

    @property
    def dimension(self) -> int:
        """How many populations a coarse-grained state has: levels times windows of each bath."""
        windows = [bath.windows for bath in self.baths if isinstance(bath, WindowBath)]
        return self.levels * int(np.prod(windows))

    def bare_hamiltonian(self) -> Inexact[Array, "d d"]:
        """$H_0$ of an undriven model, without what its parts do to each other."""
        if self.hamiltonian is not None:
            return self.hamiltonian
        return jnp.diag(self._fixed_energies)

    def total_hamiltonian(self) -> Inexact[Array, "d d"]:
        """$H_S$ of an undriven model, as a matrix."""
        bare = self.bare_hamiltonian()
        return bare if self.interaction is None else bare + self.interaction

    def spectrum(self) -> tuple[Float[Array, " d"], Inexact[Array, "d d"] | None]:
        """Energies, and eigenvectors as columns (None where the system is given by energies).

        Of an undriven model: see `within`.
        """
        if self.hamiltonian is None:
            return self._fixed_energies, None
        return modes(self.hamiltonian)

    @property
    def _fixed_energies(self) -> Float[Array, " d"]:
        """Energies of an undriven model that is given by them."""
        if isinstance(self.energies, tuple):
            raise TypeError("driven energies have values at a time alone: see `at` and `within`")
        return cast(Array, self.energies)

    def between_eigenstates(self) -> Inexact[Array, "d d"]:
        """$H_S$ of an undriven model between eigenstates of $H_0$."""
        energies = jnp.diag(self.spectrum()[0])
        if self.interaction is None:
            return energies
        return energies + self.in_eigenbasis(self.interaction)

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


def _energies(energies: Any) -> Any:
    if not isinstance(energies, Sequence) or not any(map(callable, energies)):
        return finite_array("energies", energies, ndim=1)
    entries = []
    for k, energy in enumerate(energies):
        name = f"energies[{k}]"
        driven = callable(energy)
        entries.append(as_protocol(name, energy) if driven else finite_array(name, energy, ndim=0))
    return tuple(entries)
