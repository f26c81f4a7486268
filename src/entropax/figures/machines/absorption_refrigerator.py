"""The three-qubit absorption refrigerator: what it cools as its heat source gets hotter."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from entropax.figures.base import Claim, Figure, Options
from entropax.method import Davies, Local
from entropax.model.ideal import machines
from entropax.plot import subplots
from entropax.steady import steady_state

GAPS, COLD, ROOM, COUPLING, RATE = (1.0, 3.0), 1.0, 1.5, 0.05, 0.01
POINTS, CITED = 120, 6.0


class Cooler(NamedTuple):
    """Heat currents and entropy production rates, by equation (Davies, Local) and by temperature of
    the hot bath, the cited one last.
    """

    hot: np.ndarray
    currents: np.ndarray
    produced: np.ndarray


def _run(options: Options) -> Cooler:
    hot = jnp.append(jnp.linspace(1.5, 12.0, options.times_or(POINTS)), CITED)

    def one(temperature, method):
        model = machines.absorption_refrigerator(
            GAPS, (COLD, temperature, ROOM), COUPLING, (RATE, RATE, RATE)
        )
        steady = steady_state(model, method, throw=False)
        return steady.heat_currents, steady.entropy_production_rate

    both = [
        jax.jit(jax.vmap(lambda t, method=method: one(t, method)))(hot)
        for method in (Davies(), Local())
    ]
    currents = np.stack([np.asarray(part[0]) for part in both])
    produced = np.stack([np.asarray(part[1]) for part in both])
    return Cooler(np.asarray(hot), currents, produced)


def _onset() -> float:
    """T_h where the virtual qubit of the hot and the room's is as cold as the cold bath."""
    cold, hot = GAPS
    return hot / ((cold + hot) / ROOM - cold / COLD)


def _claims(data: Cooler) -> list[Claim]:
    davies, local = data.currents[:, :, 0]
    cited = data.currents[0, -1]
    expected = (0.000753795715964, 0.00227304374764, -0.0030268394636)
    off = float(np.max(np.abs(cited - expected)))
    performance = data.currents[1, :-1, 0] / data.currents[1, :-1, 1]
    locked = float(np.max(np.abs(performance * GAPS[1] / GAPS[0] - 1.0)))
    hot = data.hot[:-1]
    start = hot[np.flatnonzero(local[:-1] > 0)[0]]
    step = float(hot[1] - hot[0])
    return [
        Claim(
            "global currents at T_h = 6: an independent program's 7.5e-4, 2.27e-3, -3.03e-3",
            f"off by at most {off:.1e}",
            off < 1e-12,
        ),
        Claim(
            "local: heat flows as w_c : w_h : -w_r, so the performance is 1/3 (Linden et al.)",
            f"off by at most {locked:.1e}",
            locked < 1e-6,
        ),
        Claim(
            "local: cooling begins where hot and room qubits make a virtual qubit colder than T_c",
            f"at T_h = {start - step:.2f} to {start:.2f}, predicted {_onset():.3f}",
            bool(start - step - 1e-9 <= _onset() <= start + 1e-9),
        ),
        Claim(
            "both equations produce entropy at every temperature",
            f"at least {data.produced.min():.1e}",
            float(data.produced.min()) >= -1e-13,
        ),
        Claim(
            "both cool at T_h = 6, to within a tenth of each other",
            f"{davies[-1]:.3e} global, {local[-1]:.3e} local",
            local[-1] > 0 and abs(davies[-1] / local[-1] - 1.0) < 0.1,
        ),
    ]


def _plot(data: Cooler):
    figure, (left, right) = subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    hot = data.hot[:-1]
    for name, style, rows in zip(("Davies", "Local"), ("-", "--"), data.currents, strict=True):
        for bath, color, column in zip(
            ("cold", "hot", "room"), ("#0f62a8", "#c1272d", "#2e8b57"), rows[:-1].T, strict=True
        ):
            left.plot(hot, column, color=color, ls=style, label=f"{bath}, {name}")
    left.axhline(0, color="0.7", lw=0.8)
    left.set(xlabel=r"$T_h$", ylabel="heat current")
    left.legend(frameon=False, fontsize=8)
    for name, style, rows in zip(("Davies", "Local"), ("-", "--"), data.produced, strict=True):
        right.plot(hot, rows[:-1], color="#222222", ls=style, label=name)
    right.set(xlabel=r"$T_h$", ylabel="entropy production rate")
    right.legend(frameon=False, fontsize=8)
    return figure


FIGURE = Figure(
    name="machines-absorption-refrigerator",
    title="Three qubits that cool without work",
    citation="Linden, Popescu, Skrzypczyk, Phys. Rev. Lett. 105, 130401 (2010)",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=lambda data: data._asdict(),
)
