"""Pictures: which numbers are drawn, by whose name, in whose colour."""

import sys
from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

import entropax as ex
from entropax import plot
from entropax.equilibrium import Equilibrium

TIMES = np.logspace(-1, 3, 5)


def ledger(baths: int = 2) -> ex.FermionLedger:
    """Numbers that can be told apart: field i has i at the first time, and so on."""
    many = {"beta", "mu", "energy", "particles", "heat", "bath_entropy", "thermal_entropy"}
    many |= {"determined", "intra_bath"}

    def numbers(i: int, name: str) -> np.ndarray:
        values = i + np.arange(1.0, 6.0)
        return values[:, None] * np.arange(1.0, baths + 1) if name in many else values

    terms = ex.EntropyTerms(
        *(numbers(i, name) for i, name in enumerate(ex.EntropyTerms.__annotations__))
    )
    own = ex.FermionLedger.__annotations__
    fields = {name: numbers(10 * i, name) for i, name in enumerate(own)}
    return ex.FermionLedger(**fields | {"terms": terms})


@pytest.fixture
def ax() -> Iterator[Axes]:
    figure, axes = plot.subplots()
    yield axes
    plt.close(figure)


def curves(ax: Axes) -> dict[str, np.ndarray]:
    return {str(line.get_label()): np.asarray(line.get_ydata()) for line in ax.get_lines()}


def test_each_bath_has_its_curve_and_the_reference_is_dashed(ax: Axes) -> None:
    led = ledger()
    reference = Equilibrium(*(np.array(float(i)) for i in range(7)))
    plot.inverse_temperatures(ax, TIMES, led, reference)
    drawn = curves(ax)
    np.testing.assert_array_equal(drawn[r"$\beta^*_{L}$"], led.beta[:, 0])
    np.testing.assert_array_equal(drawn[r"$\beta^*_{R}$"], led.beta[:, 1])
    assert set(drawn[r"$\beta_{ref}$"]) == {0.0}
    assert [line.get_linestyle() for line in ax.get_lines()] == ["-", "-", "--"]
    np.testing.assert_array_equal(ax.get_lines()[0].get_xdata(), TIMES)


def test_chemical_potentials_of_more_baths_than_names(ax: Axes) -> None:
    led = ledger(baths=6)
    plot.chemical_potentials(ax, TIMES, led)
    drawn = curves(ax)
    assert list(drawn) == [rf"$\mu^*_{{{i}}}$" for i in range(1, 7)]
    np.testing.assert_array_equal(drawn[r"$\mu^*_{6}$"], led.mu[:, 5])
    assert ax.get_lines()[5].get_color() == plot.BATH_COLORS[0]


def test_entropy_production_and_its_terms(ax: Axes) -> None:
    led = ledger()
    plot.entropy_production(ax, TIMES, led)
    drawn = curves(ax)
    assert list(drawn) == [label for label, *_ in plot.TERM_STYLES.values()]
    np.testing.assert_array_equal(drawn[r"$\sigma$"], led.entropy_production_fixed)
    np.testing.assert_array_equal(drawn[r"$\Sigma$"], led.entropy_production)
    both = led.terms.intra_bath.sum(axis=1)
    np.testing.assert_array_equal(drawn[r"$\sum_\nu I_\nu$"], both)
    np.testing.assert_array_equal(drawn[r"$D^{\mathrm{eq}}_{\mathrm{env}}$"], led.terms.finite_bath)


def test_correlations_part_the_baths(ax: Axes) -> None:
    led = ledger()
    plot.correlations(ax, TIMES, led)
    drawn = curves(ax)
    assert list(drawn) == [r"$I_{L-R}$", r"$I_{S-B}$", "$I_{oL}$", "$I_{oR}$"]
    np.testing.assert_array_equal(drawn["$I_{oR}$"], led.terms.intra_bath[:, 1])


def test_distance_from_thermality(ax: Axes) -> None:
    led = ledger()
    plot.distance_from_thermality(ax, TIMES, led)
    expected = (led.thermal_entropy - led.bath_entropy) / led.thermal_entropy
    np.testing.assert_allclose(curves(ax)["$L$"], expected[:, 0], rtol=1e-14)


def test_regimes_are_named_between_their_bounds(ax: Axes) -> None:
    """On a logarithmic axis from 0.1 to 1000: I ends at 1, II at 100."""
    ax.set(xscale="log", xlim=(0.1, 1000.0))
    plot.mark_regimes(ax, (1.0, 100.0))
    assert [float(line.get_xdata()[0]) for line in ax.get_lines()] == [1.0, 100.0]
    places = {text.get_text(): text.get_position()[0] for text in ax.texts}
    np.testing.assert_allclose([places[name] for name in ("I", "II", "III")], [1 / 8, 0.5, 7 / 8])


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'entropax\[plot\]'"):
        plot.subplots()
