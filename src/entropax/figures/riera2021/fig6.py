"""Fig. 6: the memory integral of a window, against the frequency that is missed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from entropax import plot
from entropax.figures.base import Claim, Figure, Options
from entropax.figures.riera2021.common import CITATION
from entropax.method.windows.memory_kernels import finite_memory, long_memory

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LATE = 1e4


def _run(options: Options) -> dict[str, Any]:
    offset = np.linspace(-3.0, 3.0, options.times_or(601))
    # the paper's sign: int h exp(-i Omega tau)
    return {
        "offset": offset,
        "integral": np.asarray(long_memory(jnp.asarray(-offset))),
        "finite": np.asarray(finite_memory(jnp.asarray(-offset), jnp.array(LATE))),
    }


def _plot(data: Mapping[str, Any]) -> "Figure":
    figure, ax = plot.subplots(figsize=(4.5, 3.0), layout="constrained")
    ax.plot(data["offset"], data["integral"].real, color="#0f62a8", label="real part")
    ax.plot(data["offset"], data["integral"].imag, color="#e08214", ls="--", label="imaginary part")
    ax.set(xlabel=r"$\Omega/\delta$", ylabel=r"$\int_0^\infty h(\tau)\,e^{-i\Omega\tau}d\tau$")
    ax.legend(frameon=False, fontsize=8)
    return figure


def _claims(data: Mapping[str, Any]) -> list[Claim]:
    offset, value = data["offset"], data["integral"]
    outside = float(np.max(np.abs(value.real[np.abs(offset) >= 1.0])))
    even = float(np.max(np.abs(value - value[::-1].conj())))
    apart = float(np.max(np.abs(value - data["finite"])))
    return [
        Claim(
            "the real part vanishes off resonance", f"{outside:.1e} beyond delta", outside == 0.0
        ),
        Claim("real part even, imaginary part odd", f"to {even:.1e}", even < 1e-12),
        Claim(
            "it is the limit of the integral up to t",
            f"delta t = {LATE:g}: {apart:.1e}",
            apart < 1e-3,
        ),
    ]


FIGURE = Figure(
    name="riera2021-fig6",
    title="The memory integral of an energy window",
    citation=f"{CITATION}, Fig. 6",
    run=_run,
    plot=_plot,
    claims=_claims,
    arrays=lambda data: data,
)
