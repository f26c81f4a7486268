"""A quantum dot between two leads: efficiency at maximum power."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optimistix

from entropax.figures.base import Claim, Figure, Options
from entropax.method import Davies
from entropax.model.ideal import machines
from entropax.plot import subplots
from entropax.steady import steady_state

POINTS, SMALLEST = 40, 0.02
CITED = {
    0.1: {"P/T_h": 0.00115628222832, "eta*": 0.0513333270135},
    0.5: {
        "P/T_h": 0.0371537353818,
        "eta*": 0.296330769314,
        "x_h": 2.03273980639,
        "x_c": 2.8607529115,
    },
}


class Optimum(NamedTuple):
    """By Carnot efficiency, those cited last: power over T_h, efficiency, (eps - mu)/T."""

    carnot: np.ndarray
    power: np.ndarray
    efficiency: np.ndarray
    scaled: np.ndarray


def power(scaled, carnot):
    """P/T_h of the level at (eps - mu)/T in each lead, for Gamma_h Gamma_c = Gamma_h + Gamma_c."""
    temperatures = (1.0, 1.0 - carnot)
    potentials = (-scaled[0], -temperatures[1] * scaled[1])
    dot = machines.thermoelectric_dot(0.0, temperatures, potentials, (2.0, 2.0))
    steady = steady_state(dot, Davies(coherences=False), throw=False)
    return -steady.chemical_power, -steady.chemical_power / steady.heat_currents[0]


@jax.jit
def optimum(eta):
    """P/T_h, efficiency and x of the best level, where the gradient of power vanishes."""

    def loss(scaled, args):
        del args
        return -power(scaled, eta)[0] / eta**2

    begin = jnp.array([2.4 - 0.7 * eta, 2.4 + 0.9 * eta])
    descent = optimistix.BFGS(rtol=1e-8, atol=1e-8)
    near = optimistix.minimise(loss, descent, begin, max_steps=500, throw=False).value
    newton = optimistix.Newton(rtol=1e-12, atol=1e-12)
    slope = jax.grad(loss)
    best = optimistix.root_find(slope, newton, near, max_steps=20, throw=False)
    return *power(best.value, eta), best.value


def _run(options: Options) -> Optimum:
    carnot = jnp.append(
        jnp.linspace(SMALLEST, 0.95, options.times_or(POINTS)), jnp.array(list(CITED))
    )
    return Optimum(np.asarray(carnot), *map(np.asarray, jax.vmap(optimum)(carnot)))


def _claims(data: Optimum) -> list[Claim]:
    claims = []
    for index, (eta, cited) in enumerate(CITED.items(), start=len(data.carnot) - len(CITED)):
        ours = {
            "P/T_h": data.power[index],
            "eta*": data.efficiency[index],
            "x_h": data.scaled[index, 0],
            "x_c": data.scaled[index, 1],
        }
        off = max(abs(ours[name] - value) for name, value in cited.items())
        values = ", ".join(f"{name} = {ours[name]:.12g}" for name in cited)
        claims.append(
            Claim(
                f"Carnot efficiency {eta:g}: the paper's optimum",
                f"{values}; off {off:.1e}",
                bool(off < 1e-9),
            )
        )
    eta, star = data.carnot[: -len(CITED)], data.efficiency[: -len(CITED)]
    # eta* = eta/2 + eta^2/8 + c eta^3, c = [7 + csch^2(a/2)]/96 with a = 2.39936
    second = 8.0 * (star[0] / eta[0] - 0.5) / eta[0]
    third = (star[1] / eta[1] - 0.5 - eta[1] / 8.0) / eta[1] ** 2
    closed = (7.0 + 1.0 / np.sinh(0.5 * 2.39936) ** 2) / 96.0
    curzon = 1.0 - np.sqrt(1.0 - eta)
    claims += [
        Claim(
            "eta* = eta_C/2 + eta_C^2/8 + ...: the second coefficient is universal too",
            f"8 (eta*/eta_C - 1/2)/eta_C = {second:.4f} at eta_C = {eta[0]:g}",
            bool(abs(second - 1.0) < 0.05),
        ),
        Claim(
            f"the third, [7 + csch^2(a/2)]/96 = {closed:.5f}, is above Curzon and Ahlborn's 1/16",
            f"{third:.5f} at eta_C = {eta[1]:.3f}; eta* - eta_CA from {np.min(star - curzon):.1e} "
            f"to {np.max(star - curzon):.3f}",
            bool(abs(third / closed - 1.0) < 0.15 and np.all(star > curzon)),
        ),
    ]
    return claims


def _plot(data: Optimum):
    figure, (left, right) = subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    last = len(data.carnot) - len(CITED)
    eta = data.carnot[:last]
    left.plot(eta, data.efficiency[:last], color="#c1272d", label=r"$\eta^*$")
    left.plot(eta, 1 - np.sqrt(1 - eta), color="#0f62a8", ls="--", label="Curzon, Ahlborn")
    left.plot(eta, eta / 2, color="0.6", ls=":", label=r"$\eta_C/2$")
    left.plot(data.carnot[last:], [c["eta*"] for c in CITED.values()], "k.", label="cited")
    left.set(xlabel=r"$\eta_C$", ylabel="efficiency at maximum power")
    left.legend(frameon=False, fontsize=8)
    right.plot(eta, data.scaled[:last], label=(r"$x_h$", r"$x_c$"))
    right.set(xlabel=r"$\eta_C$", ylabel=r"$(\epsilon-\mu)/T$ at maximum power")
    right.legend(frameon=False, fontsize=8)
    return figure


FIGURE = Figure(
    name="machines-thermoelectric-dot",
    title="A quantum dot's efficiency at maximum power",
    citation="Esposito, Lindenberg, Van den Broeck, EPL 85, 60010 (2009)",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=lambda data: data._asdict(),
)
