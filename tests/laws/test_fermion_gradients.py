"""Derivatives of the whole ledger between thermal leads, both ways, against dense NumPy."""

import numpy as np
import pytest
from cases import fermions
from twins.slopes import Parameters, Slopes, assert_derivatives, junction_of, labels, parameters

Array = np.ndarray

thermal = Slopes(junction_of)


@pytest.mark.parametrize(
    "name",
    [
        "mixed",
        "level at a mode",
        "uncoupled modes",
        "equal energies across leads",
        "equal energies within a lead",
        "equal energies, some uncoupled",
        "negative temperature",
    ],
)
def test_junction_from_thermal_leads(name: str) -> None:
    assert_derivatives(fermions.THERMAL[name], push=thermal.push, pull=thermal.pull)


def test_a_wrong_derivative_is_noticed() -> None:
    star = fermions.THERMAL["mixed"]

    def bent_push(p: Parameters, d: Parameters) -> Array:
        return thermal.push(p, d) + 1e-4 * np.sum(d["couplings"])

    def bent_pull(p: Parameters, w: Array) -> Parameters:
        gradient = thermal.pull(p, w)
        return gradient | {"ts": gradient["ts"] * (1 + 1e-4)}

    for wrong, message in (
        ({"push": bent_push}, "forward: athermality by couplings"),
        ({"pull": bent_pull}, "reverse: .* by ts"),
    ):
        with pytest.raises(AssertionError, match=message):
            assert_derivatives(star, **wrong)


def test_uncoupled_modes_pull_at_nothing() -> None:
    """The ledger is even in each coupling, so its slope vanishes at zero."""
    p = parameters(fermions.THERMAL["uncoupled modes"])
    off = p["couplings"] == 0
    names = labels(2)
    for field in ("entropy_production", "inter_bath", "beta"):
        slope = np.asarray(thermal.pull(p, 1.0 * (names == field))["couplings"])
        np.testing.assert_allclose(slope[off], 0.0, rtol=0, atol=1e-12, err_msg=field)
        assert np.min(np.abs(slope[~off])) > 1e-6


@pytest.mark.parametrize("name", ["zero temperature", "zero and finite temperature"])
def test_junction_from_zero_temperature(name: str) -> None:
    """sigma is infinite; everything else follows the other parameters."""
    star = fermions.FROZEN[name]
    skip = ("entropy_production_fixed", "finite_bath")
    assert_derivatives(
        star, push=thermal.push, pull=thermal.pull, fixed=("beta", "occupation"), skip=skip
    )
    sigma = 1.0 * (labels(2) == "entropy_production")
    assert all(
        np.all(np.isfinite(slope)) for slope in thermal.pull(parameters(star), sigma).values()
    )
