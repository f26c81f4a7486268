r"""Rates of a system's transitions through ideal baths, and the shifts that belong to them."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact

from entropax._checks import Faults, is_traced, refuse
from entropax._precision import TINY
from entropax.linalg import RateEquation, Spectrum
from entropax.model import Coupling, OpenSystem, ThermalBath
from entropax.model.ideal.bath import Channel
from entropax.model.ideal.spectral_densities import (
    CustomSpectrum,
    PowerSpectrum,
    TabulatedSpectrum,
)
from entropax.model.transition_frequencies import transition_energies
from entropax.protocol import AbstractProtocol

_PRESENT = 1e-12
"""Operator elements below this, of the largest, are rounding."""


class Transitions(NamedTuple):
    r"""What a channel does between the eigenstates of a Hamiltonian.

    `operator`: A, in that eigenbasis; `given`: energy that the jump from eigenstate j to i hands to
    the bath, $\omega_{ij} = \epsilon_j - \epsilon_i$; `rate`: $\gamma(\omega_{ij})$ where A has an
    element; `shift`: the imaginary part $S(\omega_{ij})$ of the bath's half-sided transform, or
    None; `particles`: given to the bath with each jump; `log_ratio`: of its rate and the reverse
    jump's, $\beta(\omega_{ij} - \mu n)$; `faults`: of its rates.
    """

    bath: int
    operator: Inexact[Array, "d d"]
    given: Float[Array, "d d"]
    rate: Float[Array, "d d"]
    shift: Float[Array, "d d"] | None
    particles: int
    log_ratio: Float[Array, "d d"]
    faults: Faults


def transitions(model: OpenSystem, spectrum: Spectrum, *, lamb_shift: bool) -> list[Transitions]:
    """Every channel of every coupling of an undriven model, between the states of `spectrum`."""
    energies, vectors = spectrum
    given = transition_energies(energies)
    found = []
    for index, (coupling, number) in enumerate(
        zip(model.couplings, model.bath_of_coupling, strict=True)
    ):
        if not isinstance(coupling, Coupling):
            continue
        bath = model.baths[number]
        strength = coupling.strength
        assert not isinstance(strength, AbstractProtocol), "the strength of one time, by `within`"
        for channel in bath.channels(coupling.operator):
            operator = vectors.conj().T @ channel.operator @ vectors
            rate, faults = _checked(index, bath, channel, operator, given)
            shift = None
            if lamb_shift:
                unit, unresolved = _shift(index, bath, channel, given)
                shift, faults = strength**2 * unit, faults + unresolved
            cold = jnp.isinf(bath.beta)
            log_ratio = jnp.where(cold, 0.0, bath.beta) * (given - bath.mu * channel.particles)
            log_ratio = jnp.asarray(jnp.where(cold, jnp.nan, log_ratio))
            rate = strength**2 * rate
            jump = channel.particles, log_ratio, faults
            found.append(Transitions(number, operator, given, rate, shift, *jump))
    return found


def faults_among(parts: Sequence[Transitions]) -> Faults:
    """Of all of them."""
    return sum((part.faults for part in parts), Faults.none())


def rate_equation(parts: Sequence[Transitions], levels: int, baths: int) -> RateEquation:
    """What the transitions do to populations."""
    nothing = jnp.zeros((baths, levels, levels))
    rates, ratios, is_mixed = nothing, nothing, nothing > 1.0
    own = jnp.eye(levels, dtype=bool)
    for part in parts:
        rate = jnp.where(own, 0.0, part.rate * jnp.abs(part.operator) ** 2)
        before = rates[part.bath] > 0
        # two ways between the same states, with other numbers of particles, have no one ratio
        differ = before & (rate > 0) & (ratios[part.bath] != part.log_ratio)
        is_mixed = is_mixed.at[part.bath].set(is_mixed[part.bath] | differ)
        ratio = jnp.where(rate > 0, part.log_ratio, ratios[part.bath])
        rates = rates.at[part.bath].add(rate)
        ratios = ratios.at[part.bath].set(ratio)
    # of a rate that underflows the ratio is known from the reverse
    back = jnp.swapaxes(rates, -1, -2) > 0
    ratios = jnp.where((rates == 0) & back, -jnp.swapaxes(ratios, -1, -2), ratios)
    return RateEquation(rates, jnp.asarray(jnp.where(is_mixed, jnp.nan, ratios)))


def _checked(
    index: int, bath: ThermalBath, channel: Channel, operator: Array, given: Array
) -> tuple[Float[Array, "d d"], Faults]:
    size = jnp.abs(operator)
    present = size > _PRESENT * jnp.max(size)
    # elements that are zero may have frequencies at which the spectrum is undefined: these are
    # replaced by one that occurs, and their rates by zero
    asked = jnp.where(present, given, given.ravel()[jnp.argmax(size)])
    rate = jnp.where(present, channel.rate(asked), 0.0)
    frozen = jax.lax.stop_gradient
    faults = Faults.none()
    for kind, bad in _breaches(bath, frozen(asked), frozen(rate)).items():
        rate, fault = refuse(rate, jnp.any(bad & present), _message(index, bath, kind))
        faults += fault
    return rate, faults


def _breaches(bath: ThermalBath, given: Array, rate: Array) -> dict[str, Array]:
    return {
        "undefined": ~jnp.isfinite(rate),
        "negative": rate < 0,
        "unbalanced": bath.breaks_balance(given),
    }


def _message(index: int, bath: ThermalBath, kind: str, given: float | None = None) -> str:
    of = f"`spectrum` ({type(bath.spectrum).__name__}) of the bath of `couplings[{index}]`"
    place = "" if given is None else f" at {given:g}"
    if kind == "negative":
        return f"{of} must not be negative, but is{place}."
    if kind == "unbalanced":
        rule = "obey detailed balance, gamma(-w) = exp(-beta w) gamma(w)"
        return f"{of} must {rule}, but does not{place}."
    text = f"{of} must have a finite rate at every transition, but has not{place}."
    if given is None or given == 0:
        text += (
            " At zero frequency, where the operator has elements within one energy, J(0) must be "
            "0, or the bath must have a `zero_frequency_rate`."
        )
    return text if given == 0 else f"{text} A table must hold all frequencies."


@jax.ensure_compile_time_eval()
def require_rates(model: OpenSystem, reference: Inexact[Array, "d d"]) -> None:
    """`ValueError` for rates that can be seen to be impossible before the program runs."""
    if is_traced(reference):
        return
    energies, vectors = np.linalg.eigh(np.asarray(reference))
    for index, (coupling, number) in enumerate(
        zip(model.couplings, model.bath_of_coupling, strict=True)
    ):
        bath = model.baths[number]
        leaves = jax.tree.leaves((coupling, bath))
        if not isinstance(coupling, Coupling) or any(map(is_traced, leaves)):
            continue
        for channel in bath.channels(coupling.operator):
            operator = vectors.conj().T @ np.asarray(channel.operator) @ vectors
            size = np.abs(operator)
            present = size > _PRESENT * np.max(size, initial=0.0)
            given = np.asarray(transition_energies(jnp.asarray(energies)))[present]
            if not given.size or not (_is_free(bath) or np.any(given == 0)):
                continue
            asked = jnp.asarray(given)
            for kind, bad in _breaches(bath, asked, channel.rate(asked)).items():
                if np.any(np.asarray(bad)):
                    place = float(given[np.argmax(np.asarray(bad))])
                    raise ValueError(_message(index, bath, kind, place))


def _is_free(bath: ThermalBath) -> bool:
    """Whether rates are more than what was checked when the spectrum was built."""
    spectrum = bath.spectrum
    assert spectrum is not None, "checked when the coupling was built"
    given = isinstance(spectrum, PowerSpectrum | CustomSpectrum | TabulatedSpectrum)
    return given or (bath.statistics == "fermi" and spectrum.is_odd)


def require_shift(model: OpenSystem) -> None:
    """`ValueError` where the integral of the Lamb shift does not exist."""
    for number, bath in enumerate(model.baths):
        spectrum = bath.spectrum
        if spectrum is None:
            continue
        name = type(spectrum).__name__
        if not spectrum.decays:
            raise ValueError(
                f"`spectrum` of bath {number} must decay at high frequencies for "
                f"`lamb_shift=True` (FlatSpectrum and spectra without a cutoff do not), but is "
                f"{name}."
            )
        if bath.statistics == "fermi" and spectrum.is_odd:
            raise ValueError(
                f"`spectrum` of bath {number} must be one of all energies for `lamb_shift=True` "
                f"with fermions, but is {name}, of positive ones."
            )


def _shift(
    index: int, bath: ThermalBath, channel: Channel, given: Float[Array, "d d"]
) -> tuple[Float[Array, "d d"], Faults]:
    r"""$S(\omega) = P\!\int \frac{d\nu}{2\pi} \frac{\gamma(\nu)}{\omega-\nu}
    = \int_0^\infty \frac{du}{2\pi}\,[\gamma(\omega-u) - \gamma(\omega+u)]/u$.

    Double-exponential quadrature between the u where $\gamma$ may bend, and a second one with half
    the nodes that must agree.
    """

    def integrand(u: Array, omega: Array) -> Array:
        return (channel.rate(omega - u) - channel.rate(omega + u)) / u

    def one(omega: Array) -> tuple[Array, Array]:
        distance = jnp.abs(omega - jnp.stack(channel.bends))
        edges = jnp.sort(jnp.append(distance, 0.0))
        scale = jnp.where(edges[-1] > 0, edges[-1], typical)
        # a last stretch of finite length, then the rest
        edges = jnp.append(edges, edges[-1] + scale)
        total = jnp.zeros(2)
        for low, high in itertools.pairwise(edges):
            u = low + (high - low) * _INNER.nodes
            values = integrand(jnp.maximum(u, TINY), omega)
            total = total + (high - low) * (_INNER.weights @ jnp.where(u > 0, values, 0.0))
        values = integrand(edges[-1] + scale * _OUTER.nodes, omega)
        total = (total + scale * (_OUTER.weights @ values)) / (2.0 * jnp.pi)
        return total[0], jax.lax.stop_gradient(jnp.abs(total[0] - total[1]))

    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(given)))
    typical = jnp.where(largest > 0, largest, 1.0)
    found, apart = jax.lax.map(one, given.ravel())
    size = jnp.max(jnp.abs(jax.lax.stop_gradient(found)))
    told = (
        f"`spectrum` ({type(bath.spectrum).__name__}) of the bath of `couplings[{index}]` must be "
        "smooth on the scale of the transitions for `lamb_shift=True`: it is not resolved."
    )
    return refuse(found.reshape(given.shape), ~(jnp.max(apart) <= 1e-6 * size), told)


class _Quadrature(NamedTuple):
    """Nodes, and two rows of weights: of all of them, and of every other one."""

    nodes: np.ndarray
    weights: np.ndarray


def _double_exponential(nodes: int = 161) -> tuple[_Quadrature, _Quadrature]:
    """For (0, 1), tanh-sinh, and for (0, inf), exp-sinh (Takahasi, Mori 1974)."""
    t, step = np.linspace(-3.2, 3.2, nodes, retstep=True)
    x, slope = 0.5 * np.pi * np.sinh(t), 0.5 * np.pi * np.cosh(t)
    share = 1.0 / (1.0 + np.exp(-2.0 * x))
    inner = _Quadrature(share, _and_half(step * slope * 2.0 * share * (1.0 - share)))
    t, step = np.linspace(-4.0, 4.0, 2 * nodes - 1, retstep=True)
    outer = np.exp(0.5 * np.pi * np.sinh(t))
    return inner, _Quadrature(outer, _and_half(step * 0.5 * np.pi * np.cosh(t) * outer))


def _and_half(weights: np.ndarray) -> np.ndarray:
    every_other = np.where(np.arange(weights.size) % 2 == 0, 2.0, 0.0)
    return np.stack([weights, weights * every_other])


_INNER, _OUTER = _double_exponential()
