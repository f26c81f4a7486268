"""Two coupled qubits: where the local equation is right, and its apparent second-law violation."""

import jax
import jax.numpy as jnp
import numpy as np

from entropax.diagnosis.audit import audit
from entropax.figures.base import Claim, Figure, Options
from entropax.method import Davies, Local, Redfield
from entropax.model.ideal import machines
from entropax.plot import subplots
from entropax.steady import steady_state

GAPS = {"detuned": (1.0, 0.6), "resonant": (1.0, 1.0)}
TEMPERATURES, RATES, POINTS, STRONG = (2.0, 1.0), (0.1, 0.1), 80, 0.6
METHODS = {
    "Davies": Davies(),
    "Redfield": Redfield(),
    "Local": Local(),
    "Local, bare heat": Local(heat="bare"),
}
COLORS = ("#222222", "#2e8b57", "#c1272d", "#0f62a8")

Data = dict[str, np.ndarray]


def _run(options: Options) -> Data:
    strengths = jnp.geomspace(1e-3, 1.0, options.times_or(POINTS))
    data: Data = {"coupling": np.asarray(strengths)}
    for case, gaps in GAPS.items():
        for name, method in METHODS.items():

            def one(strength, gaps=gaps, method=method):
                model = machines.heat_valve(gaps, strength, TEMPERATURES, RATES)
                steady = steady_state(model, method, throw=False)
                return steady.heat_currents, steady.entropy_production_rate, steady.power

            fields = jax.jit(jax.vmap(one))(strengths)
            for field, values in zip(("currents", "produced", "power"), fields, strict=True):
                data[f"{case}/{name}/{field}"] = np.asarray(values)
    return data


def _claims(data: Data) -> list[Claim]:
    coupling = data["coupling"]
    produced = {name: data[f"detuned/{name}/produced"] for name in METHODS}
    bad = coupling[produced["Local"] < 0]
    model = machines.heat_valve(GAPS["detuned"], STRONG, TEMPERATURES, RATES)
    named = {finding.name for finding in audit(model, Local())}
    work = data["detuned/Local, bare heat/power"]
    left = data["detuned/Local, bare heat/currents"].sum(1) + work
    davies, redfield, local = (
        data[f"resonant/{name}/currents"][:, 0] for name in ("Davies", "Redfield", "Local")
    )
    weak, strong = coupling < 0.003, coupling > 0.9
    near = float(np.max(np.abs(local[weak] / redfield[weak] - 1.0)))
    far, off = (float(np.max(np.abs(x[strong] / redfield[strong] - 1.0))) for x in (davies, local))
    return [
        Claim(
            "local: heat seems to flow from cold to hot at strong coupling (Levy, Kosloff 2014)",
            f"for g from {bad.min():.2f} on, at a rate of entropy of "
            f"{produced['Local'].min():.1e} at worst"
            if bad.size
            else "nowhere",
            bool(bad.size),
        ),
        Claim(
            "the global equation never does",
            f"lowest rate {produced['Davies'].min():.1e}",
            bool(np.all(produced["Davies"] >= -1e-12)),
        ),
        Claim(
            "local with bare heat: the second law holds, the work of coupling counted "
            "(De Chiara et al. 2018)",
            f"lowest rate {produced['Local, bare heat'].min():.1e}, first law to "
            f"{np.max(np.abs(left)):.1e}",
            bool(np.all(produced["Local, bare heat"] >= -1e-12) and np.max(np.abs(left)) < 1e-12),
        ),
        Claim(
            "resonant qubits, weakly coupled: local agrees with Redfield, while the global current "
            "stays finite as g goes to 0 (Hofer et al. 2017)",
            f"local to {near:.1%} for g < 0.003; at g = {coupling[0]:g} global {davies[0]:.1e}, "
            f"local {local[0]:.1e}",
            bool(near < 0.05 and davies[0] > 100 * local[0]),
        ),
        Claim(
            "resonant qubits, strongly coupled: global is near Redfield, local is not",
            f"for g > 0.9 global to {far:.0%}, local to {off:.0%}",
            far < 0.25 * off,
        ),
        Claim(
            "`audit` names the trap",
            ", ".join(sorted(named)),
            {"second law", "local equation on coupled sites"} <= named,
        ),
    ]


def _plot(data: Data):
    figure, (left, right) = subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    for name, color in zip(METHODS, COLORS, strict=True):
        if name != "Local, bare heat":
            currents = data[f"resonant/{name}/currents"][:, 0]
            left.plot(data["coupling"], currents, color=color, label=name)
        right.plot(data["coupling"], data[f"detuned/{name}/produced"], color=color, label=name)
    left.set(
        xscale="log",
        yscale="log",
        xlabel="coupling g",
        title="resonant",
        ylabel="heat current of the hot bath",
    )
    right.axhline(0, color="0.7", lw=0.8)
    right.set(
        xscale="log",
        xlabel="coupling g",
        title="detuned",
        ylim=(-2e-3, 6e-3),
        ylabel="entropy production rate",
    )
    right.legend(frameon=False, fontsize=8)
    return figure


FIGURE = Figure(
    name="machines-heat-valve",
    title="Two coupled qubits: four master equations and the second law",
    citation="Levy, Kosloff, EPL 107, 20004 (2014); Hofer et al., New J. Phys. 19, "
    "123037 (2017); De Chiara et al., New J. Phys. 20, 113024 (2018)",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=lambda data: data,
)
