r"""Rates of a system's transitions through ideal baths, and the shifts that belong to them."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact

from entropax._checks import Faults, is_traced, refuse
from entropax._precision import TINY
from entropax._tolerances import ROUNDED, VERDICT
from entropax.linalg import RateEquation, Spectrum
from entropax.model import ThermalBath
from entropax.model.ideal.bath import Channel
from entropax.model.ideal.spectral_densities import (
    AbstractSpectrum,
    CustomSpectrum,
    PowerSpectrum,
    TabulatedSpectrum,
)
from entropax.model.transition_frequencies import transition_energies
from entropax.model.views import IdealSystem, ideal_links


class Transitions(NamedTuple):
    r"""What a channel does between the eigenstates of a Hamiltonian.

    `operator`: A, in that eigenbasis; `energy`: what the jump from eigenstate j to i hands to
    the bath, $\omega_{ij} = \epsilon_j - \epsilon_i$; `rate`: $\gamma(\omega_{ij})$ where A has an
    element; `shift`: the imaginary part $S(\omega_{ij})$ of the bath's half-sided transform, or
    None; `particles`: given to the bath with each jump; `log_ratio`: of its rate and the reverse
    jump's, $\beta(\omega_{ij} - \mu n)$; `faults`: of its rates.
    """

    bath: int
    operator: Inexact[Array, "d d"]
    energy: Float[Array, "d d"]
    rate: Float[Array, "d d"]
    shift: Float[Array, "d d"] | None
    particles: int
    log_ratio: Float[Array, "d d"]
    faults: Faults


def transitions(model: IdealSystem, spectrum: Spectrum, *, lamb_shift: bool) -> list[Transitions]:
    """Every channel of every coupling of an undriven model, between the states of `spectrum`."""
    energies, vectors = spectrum
    quanta = transition_energies(energies)
    parts = []
    for index, coupling, number, bath in ideal_links(model):
        strength = jnp.asarray(cast(Array, coupling.strength))
        for channel in bath.channels(coupling.operator):
            operator = vectors.conj().T @ channel.operator @ vectors
            rate, faults = _checked(index, bath, channel, operator, quanta)
            shift = None
            if lamb_shift:
                unit, unresolved = _shift(index, bath, channel, quanta)
                shift, faults = strength**2 * unit, faults + unresolved
            cold = jnp.isinf(bath.beta)
            log_ratio = jnp.where(cold, 0.0, bath.beta) * (quanta - bath.mu * channel.particles)
            log_ratio = jnp.asarray(jnp.where(cold, jnp.nan, log_ratio))
            rate = strength**2 * rate
            jump = channel.particles, log_ratio, faults
            parts.append(Transitions(number, operator, quanta, rate, shift, *jump))
    return parts


def faults_among(parts: Sequence[Transitions]) -> Faults:
    """The faults of all of them."""
    return sum((part.faults for part in parts), Faults.none())


def rate_equation(parts: Sequence[Transitions], levels: int, baths: int) -> RateEquation:
    """What the transitions do to populations."""
    nothing = jnp.zeros((baths, levels, levels))
    rates, ratios, is_mixed = nothing, nothing, nothing > 1.0
    same = jnp.eye(levels, dtype=bool)
    for part in parts:
        rate = jnp.where(same, 0.0, part.rate * jnp.abs(part.operator) ** 2)
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
    index: int, bath: ThermalBath, channel: Channel, operator: Array, quanta: Array
) -> tuple[Float[Array, "d d"], Faults]:
    size = jnp.abs(operator)
    present = size > ROUNDED * jnp.max(size)
    # elements that are zero may have frequencies at which the spectrum is undefined: these are
    # replaced by one that occurs, and their rates by zero
    asked = jnp.where(present, quanta, quanta.ravel()[jnp.argmax(size)])
    rate = jnp.where(present, channel.rate(asked), 0.0)
    frozen = jax.lax.stop_gradient
    faults = Faults.none()
    for kind, bad in _breaches(bath, frozen(asked), frozen(rate)).items():
        rate, fault = refuse(rate, jnp.any(bad & present), _message(index, bath, kind))
        faults += fault
    return rate, faults


def _breaches(bath: ThermalBath, quanta: Array, rate: Array) -> dict[str, Array]:
    return {
        "undefined": ~jnp.isfinite(rate),
        "negative": rate < 0,
        "unbalanced": bath.breaks_balance(quanta),
    }


def _message(index: int, bath: ThermalBath, kind: str, quantum: float | None = None) -> str:
    of = f"`spectrum` ({type(bath.spectrum).__name__}) of the bath of `couplings[{index}]`"
    place = "" if quantum is None else f" at {quantum:g}"
    if kind == "negative":
        return f"{of} must not be negative, but is{place}."
    if kind == "unbalanced":
        rule = "obey detailed balance, gamma(-w) = exp(-beta w) gamma(w)"
        return f"{of} must {rule}, but does not{place}."
    text = f"{of} must have a finite rate at every transition, but has not{place}."
    if quantum is None or quantum == 0:
        text += (
            " At zero frequency, where the operator has elements within one energy, J(0) must be "
            "0, or the bath must have a `zero_frequency_rate`."
        )
    return text if quantum == 0 else f"{text} A table must hold all frequencies."


@jax.ensure_compile_time_eval()
def require_rates(model: IdealSystem, reference: Inexact[Array, "d d"]) -> None:
    """`ValueError` for rates that can be seen to be impossible before the program runs."""
    if is_traced(reference):
        return
    energies, vectors = np.linalg.eigh(np.asarray(reference))
    for index, coupling, _, bath in ideal_links(model):
        if any(map(is_traced, jax.tree.leaves((coupling, bath)))):
            continue
        for channel in bath.channels(coupling.operator):
            operator = vectors.conj().T @ np.asarray(channel.operator) @ vectors
            size = np.abs(operator)
            present = size > ROUNDED * np.max(size, initial=0.0)
            quanta = np.asarray(transition_energies(jnp.asarray(energies)))[present]
            if not quanta.size or not (_is_free(bath) or np.any(quanta == 0)):
                continue
            asked = jnp.asarray(quanta)
            for kind, bad in _breaches(bath, asked, channel.rate(asked)).items():
                if np.any(np.asarray(bad)):
                    place = float(quanta[np.argmax(np.asarray(bad))])
                    raise ValueError(_message(index, bath, kind, place))


def _is_free(bath: ThermalBath) -> bool:
    """Whether rates are more than what was checked when the spectrum was built."""
    # that there is one was checked when the coupling was built
    spectrum = cast(AbstractSpectrum | PowerSpectrum, bath.spectrum)
    if isinstance(spectrum, PowerSpectrum | CustomSpectrum | TabulatedSpectrum):
        return True
    return bath.statistics == "fermi" and spectrum.is_odd


def require_shift(model: IdealSystem) -> None:
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
        if (
            isinstance(spectrum, AbstractSpectrum)
            and bath.statistics == "fermi"
            and spectrum.is_odd
        ):
            raise ValueError(
                f"`spectrum` of bath {number} must be one of all energies for `lamb_shift=True` "
                f"with fermions, but is {name}, of positive ones."
            )


def _shift(
    index: int, bath: ThermalBath, channel: Channel, quanta: Float[Array, "d d"]
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

    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(quanta)))
    typical = jnp.where(largest > 0, largest, 1.0)
    shifts, apart = jax.lax.map(one, quanta.ravel())
    size = jnp.max(jnp.abs(jax.lax.stop_gradient(shifts)))
    message = (
        f"`spectrum` ({type(bath.spectrum).__name__}) of the bath of `couplings[{index}]` must be "
        "smooth on the scale of the transitions for `lamb_shift=True`: it is not resolved."
    )
    return refuse(shifts.reshape(quanta.shape), ~(jnp.max(apart) <= VERDICT * size), message)


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
