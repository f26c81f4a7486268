"""What exact dynamics will cost, before it begins."""

import pytest

from entropax.method.windows.estimates import require_memory, warn_of_minutes


@pytest.mark.misuse
def test_more_than_there_is_is_refused() -> None:
    require_memory(2.0**30, [7], 1.5)
    with pytest.raises(ValueError, match=r"sectors of \[7\] states need about 2 GiB of 1.5 GiB"):
        require_memory(2.0**31, [7], 1.5)


def test_minutes_are_told() -> None:
    with pytest.warns(UserWarning, match=r"4e\+12 operations: about 3 minutes"):
        warn_of_minutes(4e12, 16)
    warn_of_minutes(1e12, 16)  # no warning: an error here
