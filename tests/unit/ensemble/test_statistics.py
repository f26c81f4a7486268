"""Moments: of parts, and beside infinite draws."""

import numpy as np

from entropax.ensemble.statistics import Moments


def test_moments_of_parts_are_those_of_the_whole(rng: np.random.Generator) -> None:
    x = {
        "a": rng.normal(size=(50, 3)) + 1e3,
        "b": rng.normal(size=50) + 1j,
        "c": np.full(50, np.inf),
    }
    x["d"] = x["b"].real > 0
    merged = Moments.none()
    for part in np.split(np.arange(50), [7, 8, 30]):
        merged = merged.merged(Moments.of({name: v[part] for name, v in x.items()}))
    merged = merged.merged(Moments.of({name: v[:0] for name, v in x.items()}))
    for name in "abd":
        np.testing.assert_allclose(merged.mean[name], x[name].mean(0), rtol=1e-13)
        error = np.std(x[name], axis=0, ddof=1) / np.sqrt(50)
        np.testing.assert_allclose(merged.error()[name], error, rtol=1e-9)
    assert np.isinf(merged.mean["c"])


def test_infinite_draws() -> None:
    """Whatever comes first."""
    values = np.array([np.inf, 1.0])
    for order in ([0, 1], [1, 0]):
        parts = [Moments.of({"x": np.split(values, 2)[i]}) for i in order]
        assert np.isposinf(parts[0].merged(parts[1]).mean["x"])


def test_the_error_of_few_draws() -> None:
    """Of two it is half their distance; of one there is none, and of none nothing."""
    assert Moments.of({"x": np.array([1.0, 4.0])}).error()["x"] == 1.5
    assert np.isnan(Moments.of({"x": np.array([1.0])}).error()["x"])
    assert Moments.none().error() == {}
