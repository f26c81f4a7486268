"""Fluctuations from outside: two measurements on finite leads, and counted jumps."""

from collections.abc import Iterator

import numpy as np

from entropax.counting import counting
from entropax.figures.base import Row
from entropax.method import Davies, Lindblad
from entropax.model import (
    Coupling,
    FlatSpectrum,
    Jump,
    Junction,
    Lead,
    OpenSystem,
    Product,
    ThermalBath,
)
from entropax.steady import steady_state

LOWER = np.array([[0.0, 1.0], [0.0, 0.0]])


def measured() -> Iterator[Row]:
    """Particles that a lead gains between two measurements (Levitov, Lesovik 1993)."""
    leads = [Lead.flat(modes=300, width=20.0, coupling=0.1, beta=1.0, mu=mu) for mu in (0.5, -0.5)]
    count = counting(Junction(0.5, 0.0, leads), [40.0, 80.0], "particles", bath=1)
    source = "dense determinants, K = 300 a lead"
    cited = ((0.243264281602, 0.929746842575), (0.685992293984, 1.83454763704))
    for index, (mean, variance) in enumerate(cited):
        time = float(count.ts[index])
        yield Row(f"particles gained, t = {time:g}", source, mean, float(count.mean[index]), 1e-9)
        value = float(count.variance[index])
        yield Row(f"their variance, t = {time:g}", source, variance, value, 1e-9)
    law = count.distribution()
    expected = [0.0017752144, 0.0258680779, 0.1726492066, 0.4251646699]
    expected += [0.2873269503, 0.0763506655, 0.0100140566]
    for number, p in zip(range(-3, 4), expected, strict=True):
        place = int(np.argmin(np.abs(np.asarray(law.values) - number)))
        value = float(law.probabilities[0, place])
        yield Row(f"P({number} particles), t = 40", source, p, value, 1e-9)


def jumps() -> Iterator[Row]:
    """Cumulants of the current through one level (Bagrets, Nazarov 2003)."""
    source = "closed form of the dominant eigenvalue, one level"
    one_way = OpenSystem(
        (0.0, 0.5),
        (
            Jump(LOWER.T, ThermalBath(0.0), 0.1, particles=-1),
            Jump(LOWER, ThermalBath(1.0), 0.5, particles=1),
        ),
        Product(system=0),
    )
    both_ways = OpenSystem(
        (0.0, 0.5),
        [
            Coupling(LOWER, ThermalBath(1.0, FlatSpectrum(0.1), mu=mu, statistics="fermi"))
            for mu in (0.5, -0.5)
        ],
        Product(system=0),
    )
    cited = {
        "one way": (0.0833333333333, 0.0601851851852, 0.0331790123457, 0.0102451989026),
        "both ways": (0.0115529289315, 0.023665298331, 0.00335082363866, 0.00665013655271),
    }
    models = {"one way": (one_way, Lindblad()), "both ways": (both_ways, Davies())}
    for name, (model, method) in models.items():
        rates = steady_state(model, method).cumulants("particles", bath=1, order=4)
        for order, (expected, value) in enumerate(zip(cited[name], rates, strict=True), 1):
            yield Row(f"cumulant {order}, {name}", source, expected, float(value), 1e-10)
    relation = steady_state(both_ways, Davies()).uncertainty("particles", bath=1)
    value = float(relation.thermodynamic)
    yield Row("uncertainty product, both ways", source, 2.04842412442, value, 1e-10)
