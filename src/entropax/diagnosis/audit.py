"""What may be wrong with a model and a master equation that are solved without complaint."""

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from entropax._checks import is_traced
from entropax._tolerances import AS_STATED
from entropax.linalg import from_real, to_real
from entropax.method import AbstractIdealBathEquation, Davies, Local, Redfield
from entropax.method.ideal.conservation import conserved
from entropax.method.ideal.rates import transitions
from entropax.model import Jump, OpenSystem
from entropax.model.transition_frequencies import bare_spectrum, frequency_groups, total_spectrum
from entropax.model.views import IdealSystem, as_ideal, jumps
from entropax.solve import RESULTS
from entropax.steady import SteadyState, steady_state

_SLOW = 4.0
"""Difference of two frequencies, in units of the fastest rate, below which rotating terms do not
average out: for two dots at one energy the current is six percent off there."""
_FULL = 32
"""Largest number of levels for which whole generators are looked at."""


class Finding(NamedTuple):
    """One thing to know: its `name`, what was `found`, and a `remedy`."""

    name: str
    found: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.name}: {self.found} Remedy: {self.remedy}"


def audit(model: OpenSystem[Any, Any], method: AbstractIdealBathEquation) -> tuple[Finding, ...]:
    """The known traps of a master equation that `model` falls into; empty where there is none.

    - "not unique": operators commute with $H_S$ and all jumps, so that the steady state depends on
      the start (a dark state, a symmetry, a part that no bath reaches).
    - "no energy exchanged": a coupling that commutes with $H_S$ exchanges no energy.
    - "local equation on coupled sites": `Local` where parts interact, beside `Davies`.
    - "second law": the steady rate of entropy production is negative.
    - "nearly degenerate frequencies": `Davies` drops terms that rotate slower than the rates.
    - "detailed balance": a `Jump` and its reverse are not at the temperature of their bath.
    - "negative populations", "not completely positive": what `Redfield` does not exclude.

    Raises `ValueError` where `method` does, or for traced or driven models. Cost: that of a few
    steady states; above 32 levels whole generators are left out.
    """
    system = as_ideal(model, type(method).__name__)
    if any(map(is_traced, jax.tree.leaves(system))):
        raise ValueError("`model` must be known, not traced by `jit`, `grad` or `vmap`.")
    if system.is_driven:
        raise ValueError("`model` must not be driven; audit its undriven model of a time.")
    steady = steady_state(system, method, throw=False)
    return tuple(_findings(system, method, steady))


def _findings(
    model: IdealSystem, method: AbstractIdealBathEquation, steady: SteadyState
) -> Iterator[Finding]:
    unique = not bool(steady.result == RESULTS.not_unique)
    yield from _conserved(model, method, unique)
    yield from _idle(model)
    if unique:
        yield from _local(model, method, steady)
        yield from _second_law(model, method, steady)
    if isinstance(method, Davies):
        yield from _secular(model)
    yield from _balance(model)
    if isinstance(method, Redfield):
        yield from _positivity(model, method, steady if unique else None)


def _conserved(
    model: IdealSystem, method: AbstractIdealBathEquation, unique: bool
) -> Iterator[Finding]:
    operators = conserved(_commuting(model), list(_acting(model, isinstance(method, Local))))
    if operators:
        several = f"{len(operators)} independent operators commute"
        yield Finding(
            "not unique",
            f"{several if len(operators) > 1 else 'an operator commutes'} with the Hamiltonian and "
            "all jumps: what it measures stays as it starts.",
            "couple baths to what is left alone, break the symmetry, or solve in time from the "
            "start in question.",
        )
    elif not unique:
        yield Finding(
            "not unique",
            "no symmetry was found, but the generator is singular beyond one steady state.",
            "look for states that nothing leaves (zero temperature), or rates that differ by more "
            "than 12 orders.",
        )


def _commuting(model: IdealSystem) -> np.ndarray:
    total = np.asarray(model.total_hamiltonian())
    return total if model.frame is None else total - np.asarray(model.frame)


def _acting(model: IdealSystem, bare: bool) -> Iterator[np.ndarray]:
    """The operators of couplings and jumps with rates above zero, one for each frequency."""
    energies, vectors = bare_spectrum(model) if bare else total_spectrum(model)
    v = np.asarray(vectors)
    groups = np.asarray(frequency_groups(energies))
    for part in transitions(model, (energies, vectors), lamb_shift=False):
        inside = np.where(np.asarray(part.rate) > 0, np.asarray(part.operator), 0.0)
        for group in np.unique(groups[np.abs(inside) > 0]):
            yield v @ np.where(groups == group, inside, 0.0) @ v.conj().T
    for _, jump in jumps(model):
        yield np.asarray(jump.operator) * float(jump.fixed_rate > 0)


def _idle(model: IdealSystem) -> Iterator[Finding]:
    hamiltonian = np.asarray(model.total_hamiltonian())
    for index, coupling in enumerate(model.couplings):
        operator = np.asarray(coupling.operator)
        stirred = hamiltonian @ operator - operator @ hamiltonian
        if np.max(np.abs(stirred)) <= AS_STATED * np.max(np.abs(hamiltonian)) * np.max(
            np.abs(operator), initial=1e-300
        ):
            yield Finding(
                "no energy exchanged",
                f"the operator of `couplings[{index}]` commutes with the Hamiltonian: it dephases.",
                "none, where dephasing is meant; else an operator with elements between different "
                "energies.",
            )


def _local(
    model: IdealSystem, method: AbstractIdealBathEquation, steady: SteadyState
) -> Iterator[Finding]:
    if not isinstance(method, Local) or model.interaction is None or model.frame is not None:
        return
    ours = np.asarray(steady.heat_currents)
    other = steady_state(model, Davies(), throw=False)
    text = "sites interact, but jumps are those of each site alone"
    if bool(other.result == RESULTS.successful):
        theirs = np.asarray(other.heat_currents)
        off = np.max(np.abs(ours - theirs)) / max(np.max(np.abs(theirs)), 1e-300)
        if off < 0.01:
            return
        text += f": heat currents differ from those of Davies by {off:.0%}"
    yield Finding(
        "local equation on coupled sites",
        f"{text}.",
        "Davies() where the interaction is strong beside the rates, Redfield() in between; "
        'Local(heat="bare") counts the work of coupling.',
    )


def _second_law(
    model: IdealSystem, method: AbstractIdealBathEquation, steady: SteadyState
) -> Iterator[Finding]:
    rate = float(steady.entropy_production_rate)
    flows = float(np.sum(np.abs(np.asarray(steady.entropy_production_rates))))
    speed = float(method.steady_equation(model).generator(model).speed())
    if rate < -AS_STATED * flows and rate < -1e-13 * speed:
        yield Finding(
            "second law",
            f"entropy production at the rate {rate:.3g}: heat seems to flow from cold to hot.",
            'Davies(), or Local(heat="bare").' if isinstance(method, Local) else "Davies().",
        )


def _secular(model: IdealSystem) -> Iterator[Finding]:
    """Findings of frequencies of one operator that lie too close together for its rates."""
    spectrum = total_spectrum(model)
    groups = np.asarray(frequency_groups(spectrum[0]))
    for part in transitions(model, spectrum, lamb_shift=False):
        size = np.abs(np.asarray(part.operator)) ** 2 * np.asarray(part.rate)
        present = size > AS_STATED * np.max(size, initial=0.0)
        rate = float(np.max(np.sum(size, axis=0), initial=0.0))
        _, first = np.unique(groups[present], return_index=True)
        steps = np.diff(np.sort(np.asarray(part.energy)[present][first]))
        if steps.size and np.min(steps) < _SLOW * rate:
            yield Finding(
                "nearly degenerate frequencies",
                f"a coupling to bath {part.bath} has frequencies as close as {np.min(steps):.3g}, "
                f"with jumps at rates up to {rate:.3g}: the secular step drops terms that do not "
                "average out.",
                "Redfield(), which keeps them, or weaker couplings.",
            )


def _balance(model: IdealSystem) -> Iterator[Finding]:
    bare = np.asarray(model.bare_hamiltonian())
    for number, bath in enumerate(model.baths):
        jumps = [
            (index, jump)
            for index, (jump, n) in enumerate(
                zip(model.couplings, model.bath_of_coupling, strict=True)
            )
            if n == number and isinstance(jump, Jump)
        ]
        for index, jump in jumps:
            operator = np.asarray(jump.operator)
            energy = _given(bare, operator)
            if energy is None or not np.any(operator) or float(jump.fixed_rate) == 0.0:
                continue
            exponent = float(bath.beta) * (energy - float(bath.mu) * jump.particles)
            reverse = sum(float(j.fixed_rate) * _overlap(operator, j) for _, j in jumps)
            forward = float(jump.fixed_rate) * _overlap(operator.conj().T, jump)
            wanted = forward * np.exp(-exponent) if np.isfinite(exponent) else 0.0
            if exponent >= 0 and abs(reverse - wanted) > 1e-6 * max(forward, reverse):
                yield Finding(
                    "detailed balance",
                    f"`couplings[{index}]` hands its bath the energy {energy:.6g} with a reverse "
                    f"at {reverse / forward:.6g} of its rate, where exp(-beta w) is "
                    f"{wanted / forward:.6g}.",
                    "give the reverse jump the rate exp(-beta w), or the bath the temperature that "
                    "the rates have.",
                )


def _given(hamiltonian: np.ndarray, operator: np.ndarray) -> float | None:
    """The energy that a jump hands to its bath; None where it has no single one."""
    stirred = operator @ hamiltonian - hamiltonian @ operator
    energy = np.vdot(operator, stirred).real / max(np.vdot(operator, operator).real, 1e-300)
    left = np.max(np.abs(stirred - energy * operator))
    scale = max(np.max(np.abs(hamiltonian)), 1e-300) * np.max(np.abs(operator))
    return float(energy) if left <= 1e-6 * scale else None


def _overlap(operator: np.ndarray, jump: Jump) -> float:
    """|L|^2 of the part of a jump that is the adjoint of an operator."""
    back = operator.conj().T
    size = np.vdot(back, back).real
    return float(abs(np.vdot(back, np.asarray(jump.operator))) ** 2 / size)


def _positivity(
    model: IdealSystem, method: Redfield, steady: SteadyState | None
) -> Iterator[Finding]:
    if steady is not None and float(steady.lowest_population) < -AS_STATED:
        yield Finding(
            "negative populations",
            f"the steady state has the eigenvalue {float(steady.lowest_population):.3g}.",
            "Davies() where frequencies are apart, or weaker couplings.",
        )
    if model.levels > _FULL:
        return
    generator = method.steady_equation(model).generator(model)
    lowest = _lowest_rate(np.asarray(generator.matrix()))
    scale = float(np.max(np.abs(np.asarray(generator.matrix()))))
    if lowest < -AS_STATED * scale:
        yield Finding(
            "not completely positive",
            f"in diagonal form a jump has the rate {lowest:.3g}: some states, entangled ones at "
            "least, become negative at short times.",
            "Davies(), or look at `ledger.lowest_population` from the start in question.",
        )


def _lowest_rate(matrix: np.ndarray) -> float:
    """The lowest eigenvalue of the generator's Choi matrix beside the maximally entangled state."""
    size = int(np.sqrt(len(matrix)))

    def image(hermitian: np.ndarray) -> np.ndarray:
        moved = matrix @ np.asarray(to_real(jnp.asarray(hermitian))).ravel()
        return np.asarray(from_real(jnp.asarray(moved.reshape(size, size))))

    choi = np.zeros((size, size, size, size), complex)
    for j, k in itertools.product(range(size), repeat=2):
        unit = np.zeros((size, size), complex)
        unit[j, k] = 1.0
        # |j><k| from its Hermitian parts
        even, odd = (unit + unit.T) / 2, (unit - unit.T) / 2j
        choi[:, j, :, k] = image(even) + 1j * image(odd)
    entangled = np.eye(size).ravel() / np.sqrt(size)
    aside = np.eye(size * size) - np.outer(entangled, entangled)
    return float(np.linalg.eigvalsh(aside @ choi.reshape(size**2, size**2) @ aside)[0])
