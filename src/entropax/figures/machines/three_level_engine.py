"""The three-level maser: power and efficiency against the gap of its cold transition."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from entropax.figures.base import Claim, Figure, Options
from entropax.method import Local
from entropax.model.ideal import machines
from entropax.plot import subplots
from entropax.steady import steady_state

WIDE, TEMPERATURES, RATES, DRIVE, POINTS = 3.0, (10.0, 1.0), (0.02, 0.02), 0.05, 200


class Engine(NamedTuple):
    """Power, its slope, heat and entropy production rate, by gap of the cold transition."""

    gap: np.ndarray
    power: np.ndarray
    heat: np.ndarray
    produced: np.ndarray
    slope: np.ndarray


def _run(options: Options) -> Engine:
    gaps = jnp.linspace(0.05, 2.0, options.times_or(POINTS))

    def one(gap):
        model = machines.three_level_engine((WIDE, gap), TEMPERATURES, RATES, DRIVE)
        steady = steady_state(model, Local(), throw=False)
        return steady.power, (steady.heat_currents, steady.entropy_production_rate)

    batch = jax.jit(jax.vmap(jax.value_and_grad(one, has_aux=True)))
    (power, (heat, produced)), slope = batch(gaps)
    return Engine(*map(np.asarray, (gaps, power, heat, produced, slope)))


def _claims(data: Engine) -> list[Claim]:
    efficiency = -data.power / data.heat[:, 0]
    off = float(np.max(np.abs(efficiency - (1.0 - data.gap / WIDE))))
    sign = np.flatnonzero(np.diff(np.sign(data.power)))
    place = WIDE * TEMPERATURES[1] / TEMPERATURES[0]
    step = float(data.gap[1] - data.gap[0])
    turn = float(data.gap[sign[0]]) if sign.size else float("nan")
    best = int(np.argmin(data.power))
    flat = np.interp(0.0, data.slope[best - 1 : best + 2], data.gap[best - 1 : best + 2])
    return [
        Claim(
            "the efficiency is 1 - w_c/w_h at every gap (Scovil, Schulz-DuBois 1959)",
            f"off by at most {off:.1e}",
            off < 1e-9,
        ),
        Claim(
            "work is drawn above w_c/w_h = T_c/T_h alone, where the efficiency is Carnot's",
            f"power changes sign at w_c = {turn:.3f} to {turn + step:.3f}, predicted {place:.3f}",
            sign.size == 1 and turn - 1e-9 <= place <= turn + step + 1e-9,
        ),
        Claim(
            "the exact gradient vanishes where power is largest",
            f"power {-data.power[best]:.6f} at w_c = {data.gap[best]:.3f}, slope 0 at {flat:.4f}",
            abs(flat - data.gap[best]) <= step,
        ),
        Claim(
            "entropy is produced on both sides of the turning point",
            f"at least {data.produced.min():.1e}",
            float(data.produced.min()) >= -1e-12,
        ),
    ]


def _plot(data: Engine):
    figure, (left, right) = subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    left.plot(data.gap, -data.power, color="#c1272d", label="power")
    left.plot(data.gap, data.produced, color="#222222", label="entropy production rate")
    left.axhline(0, color="0.7", lw=0.8)
    left.set(xlabel=r"$\omega_c$", title=rf"$\omega_h = {WIDE:g}$")
    left.legend(frameon=False, fontsize=8)
    drawn = data.power < 0
    efficiency = -data.power[drawn] / data.heat[drawn, 0]
    carnot = 1.0 - TEMPERATURES[1] / TEMPERATURES[0]
    right.plot(efficiency / carnot, -data.power[drawn], color="#0f62a8")
    right.set(xlabel="efficiency / Carnot", ylabel="power", xlim=(0, 1))
    return figure


FIGURE = Figure(
    name="machines-three-level-engine",
    title="The three-level maser: power and efficiency",
    citation="Scovil, Schulz-DuBois, Phys. Rev. Lett. 2, 262 (1959); Geva, Kosloff, "
    "J. Chem. Phys. 104, 7681 (1996)",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=lambda data: data._asdict(),
)
