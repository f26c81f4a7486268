"""What all ledgers share: dispatch by model."""

import pytest

from entropax.ledger.base import in_words, judge, measure, reference, settle


@pytest.mark.misuse
@pytest.mark.parametrize("function", [reference, measure, settle, judge])
def test_what_has_no_ledger_is_not_guessed(function) -> None:
    arguments = (object(),) * (3 if function is judge else 2)
    with pytest.raises(NotImplementedError):
        function(*arguments)


def test_of_what_is_not_known_nothing_is_said() -> None:
    assert in_words(object(), 3) == ""
