"""What a ledger of ideal baths holds: symbols, units and sources beside it."""

import entropax as ex
from entropax.ledger import about
from entropax.ledger.ideal.quantities import MomentLedger


def test_quantities_say_what_they_are() -> None:
    beside = about(ex.GKLSLedger)
    assert beside["heat_currents"]["unit"] == "energy/time"
    assert all(entry["meaning"] for entry in beside.values())


def test_a_ledger_of_times_has_what_one_of_a_moment_has() -> None:
    assert about(MomentLedger).items() <= about(ex.GKLSLedger).items()
    assert {"heat", "residual"} <= about(ex.GKLSLedger).keys() - about(MomentLedger).keys()
