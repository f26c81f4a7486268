"""Heat along a chain of qubits against its length, XX and XXZ, local and global."""

import numpy as np

from entropax.figures.base import Claim, Figure, Options
from entropax.method import Davies, Local
from entropax.model.ideal import machines
from entropax.plot import subplots
from entropax.steady import steady_state

EXCHANGE, TEMPERATURES, RATES = 0.5, (5.0, 0.5), (0.5, 0.5)
LONGEST, SHORT = 8, 4
CHAINS = {"XX": 0.0, "XXZ": 0.5}
METHODS = {"Local": Local(), "Davies": Davies()}
CITED = 0.0447507595079696

Currents = dict[str, np.ndarray]


def _run(options: Options) -> Currents:
    longest = LONGEST if options.modes is None else SHORT
    data: Currents = {"sites": np.arange(2, longest + 1)}
    for chain, anisotropy in CHAINS.items():
        for name, method in METHODS.items():
            column = []
            for sites in data["sites"]:
                model = machines.spin_chain(
                    int(sites), 1.0, EXCHANGE, anisotropy, TEMPERATURES, RATES
                )
                column.append(np.asarray(steady_state(model, method).heat_currents))
            data[f"{chain}, {name}"] = np.array(column)
    return data


def _claims(data: Currents) -> list[Claim]:
    xx, xxz = data["XX, Local"][:, 0], data["XXZ, Local"][:, 0]
    off = float(np.max(np.abs(xx - CITED)))
    columns = [value for key, value in data.items() if key != "sites"]
    left = max(float(np.max(np.abs(c.sum(axis=1)))) for c in columns)
    davies = data["XX, Davies"][:, 0]
    return [
        Claim(
            "XX, local: the current does not depend on the length, 0.04475075950797 "
            "(Karevski, Platini 2009; independent program)",
            f"2 to {data['sites'][-1]} sites: off by at most {off:.1e}",
            off < 1e-9,
        ),
        Claim(
            "XXZ, local: collisions of excitations make it fall with the length",
            ", ".join(f"{x:.5f}" for x in xxz),
            bool(np.all(np.diff(xxz) < 0)),
        ),
        Claim(
            "what enters at one end leaves at the other",
            f"to {left:.1e}",
            left < 1e-10,
        ),
        Claim(
            "the global equation gives the XX chain another current, much alike at all lengths",
            f"{davies[0]:.5f} to {davies[-1]:.5f}",
            bool(np.ptp(davies) < 0.01 * davies[0] and abs(davies[0] / CITED - 1.0) > 0.5),
        ),
    ]


def _plot(data: Currents):
    figure, ax = subplots(figsize=(5.6, 3.8), layout="constrained")
    styles = {"XX": "#0f62a8", "XXZ": "#c1272d"}
    for chain, color in styles.items():
        for name, line in zip(METHODS, ("o-", "s--"), strict=True):
            ax.plot(
                data["sites"],
                data[f"{chain}, {name}"][:, 0],
                line,
                color=color,
                label=f"{chain}, {name}",
            )
    ax.set(xlabel="sites", ylabel="heat current", ylim=(0, None))
    ax.legend(frameon=False, fontsize=8)
    return figure


FIGURE = Figure(
    name="machines-spin-chain",
    title="Heat along a chain of qubits against its length",
    citation="Karevski, Platini, Phys. Rev. Lett. 102, 207207 (2009)",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=lambda data: data,
)
