"""Chains of dots between finite leads: where the classical bound on precision fails."""

from typing import NamedTuple

import numpy as np

from entropax.counting import counting
from entropax.figures.base import Claim, Figure, Options
from entropax.model import FermionNetwork
from entropax.plot import subplots

DOTS, MODES, WIDTH, COUPLING, BIAS = (1, 2, 4, 8), 240, 40.0, 2.0, 2.0
END, TIMES, LATE = 36.0, 17, 0.72
"""The currents are slopes from LATE of the end on: past the transient, which is long for many dots,
and before the leads' ends are felt, at 2 pi over the distance of their modes, 37.5."""
CITED = {
    1: (2.107618885, 1.911009872),
    2: (1.827494677, 1.657017022),
    8: (1.651184725, 1.497154127),
}
"""The two products for infinite leads in the wide-band limit (Levitov's formula, by quadrature)."""


class Chains(NamedTuple):
    """Dots; currents and noise; the classical and the coherent product; times, and for each number
    of dots the classical product of counts up to them.
    """

    dots: np.ndarray
    current: np.ndarray
    noise: np.ndarray
    classical: np.ndarray
    coherent: np.ndarray
    times: np.ndarray
    in_time: np.ndarray


def chain(dots: int, modes: int) -> FermionNetwork:
    """Sites at zero energy with hopping 1, a flat lead at each end."""
    size = dots + 2 * modes
    h = np.zeros((size, size))
    for i in range(dots - 1):
        h[i, i + 1] = h[i + 1, i] = 1.0
    energies = np.linspace(-0.5 * WIDTH, 0.5 * WIDTH, modes)
    coupling = np.sqrt(COUPLING * WIDTH / (2.0 * np.pi * modes))
    baths = []
    for number, site in enumerate((0, dots - 1)):
        place = dots + number * modes + np.arange(modes)
        h[place, place] = energies
        h[site, place] = h[place, site] = coupling
        baths.append(tuple(map(int, place)))
    return FermionNetwork(h, range(dots), baths, beta=(1.0, 1.0), mu=(BIAS, -BIAS))


def _run(options: Options) -> Chains:
    modes = min(options.modes_or(MODES), MODES)
    end = END * modes / MODES  # the leads' ends are felt earlier
    times = np.linspace(end / 9.0, end, min(options.times_or(TIMES), TIMES))
    dots = DOTS if options.modes is None else DOTS[:2]
    mean, variance = [], []
    for number in dots:
        count = counting(chain(number, modes), times, "particles", bath=1)
        mean.append(np.asarray(count.mean))
        variance.append(np.asarray(count.variance))
    means, variances = np.array(mean), np.array(variance)
    late = times >= LATE * end
    current = np.polyfit(times[late], means[:, late].T, 1)[0]
    noise = np.polyfit(times[late], variances[:, late].T, 1)[0]
    affinity = 2.0 * BIAS
    classical = noise * affinity / current
    coherent = noise / current * np.sinh(0.5 * affinity)
    in_time = variances * affinity / means
    return Chains(np.array(dots), current, noise, classical, coherent, times, in_time)


def _claims(data: Chains) -> list[Claim]:
    pairs = [
        abs(product - CITED[dots][which])
        for dots, *both in zip(data.dots, data.classical, data.coherent, strict=True)
        for which, product in enumerate(both)
        if dots in CITED
    ]
    text = ", ".join(f"{x:.3f}" for x in data.classical)
    return [
        Claim(
            "one dot obeys Var(N) sigma / <N>^2 >= 2 of classical rates, chains do not",
            f"{text} for {', '.join(map(str, data.dots))} dots",
            bool(data.classical[0] >= 2.0 and np.all(data.classical[1:] < 2.0)),
        ),
        Claim(
            "the coherent bound, (S/J) sinh(sigma/2J) >= 1, holds for all",
            f"{data.coherent.min():.4f} at least",
            bool(data.coherent.min() >= 1.0),
        ),
        Claim(
            "finite leads say before their recurrence what infinite ones do",
            f"both products off by {max(pairs):.3f} at most (a band of {WIDTH:g})",
            bool(max(pairs) < 0.06),
        ),
    ]


def _plot(data: Chains):
    figure, (left, right) = subplots(1, 2, figsize=(9.5, 3.8), layout="constrained")
    left.plot(data.dots, data.classical, "o-", label=r"$S\sigma/J^2$")
    left.plot(data.dots, data.coherent, "s-", label=r"$(S/J)\,\sinh(\sigma/2J)$")
    for which, marker in enumerate("xx"):
        cited = {n: pair[which] for n, pair in CITED.items() if n in data.dots}
        label = "infinite leads, wide band" if which == 0 else None
        left.plot(list(cited), list(cited.values()), "k" + marker, ms=7, ls="none", label=label)
    left.axhline(2.0, color="C0", ls=":", lw=1.0)
    left.axhline(1.0, color="C1", ls=":", lw=1.0)
    left.set(xlabel="dots", ylabel="product, and its bound (dotted)")
    left.legend(frameon=False, fontsize=8)
    for dots, product in zip(data.dots, data.in_time, strict=True):
        right.plot(data.times, product, label=f"{dots} dots")
    right.axhline(2.0, color="0.6", ls=":", lw=1.0)
    right.set_ylim(0.0, 8.0)  # early counts of a long chain have a mean near zero
    right.set(xlabel="time", ylabel=r"Var$(N)\,\Delta\mu/T\,/\langle N\rangle$, finite leads")
    right.legend(frameon=False, fontsize=8)
    return figure


FIGURE = Figure(
    name="uncertainty",
    title="Precision of a current and its cost: chains of dots between finite leads",
    citation="Barato, Seifert, Phys. Rev. Lett. 114, 158101 (2015); Brandner, Hanazato, Saito, "
    "Phys. Rev. Lett. 120, 090601 (2018); ours",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=lambda data: data._asdict(),
)
