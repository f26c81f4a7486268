"""What exact dynamics will cost, before it begins."""

import pytest
from cases.windows import WINDOW, spin

from entropax.method.windows.estimates import require_memory, warn_of_minutes
from entropax.method.windows.sectors import find_sectors


@pytest.mark.misuse
def test_more_than_there_is_is_refused() -> None:
    require_memory(2.0**30, [7], 1.5)
    with pytest.raises(ValueError, match=r"sectors of \[7\] states need about 2 GiB of 1.5 GiB"):
        require_memory(2.0**31, [7], 1.5)


def test_minutes_are_told() -> None:
    """120 states, 60 of them filled: 14 million operations a product, 10^6 of them."""
    sectors = find_sectors(spin(WINDOW, (60, 60)))
    size, filled = sectors[0].size, len(sectors[0].columns)
    minutes = 1e6 * 16.0 * size**2 * filled / 2e10 / 60.0
    with pytest.warns(UserWarning, match=rf"1000000 products .* about {minutes:.0f} minutes"):
        warn_of_minutes(sectors, 10**6, 16)
    warn_of_minutes(sectors, 10, 16)  # no warning: an error here
