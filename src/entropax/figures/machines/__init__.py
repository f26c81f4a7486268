"""Thermal machines between ideal baths."""

from entropax.figures.machines import (
    absorption_refrigerator,
    erasure,
    heat_valve,
    spin_chain,
    thermoelectric_dot,
    three_level_engine,
    two_level_engine,
)

FIGURES = tuple(
    module.FIGURE
    for module in (
        two_level_engine,
        three_level_engine,
        absorption_refrigerator,
        spin_chain,
        thermoelectric_dot,
        heat_valve,
        erasure,
    )
)
