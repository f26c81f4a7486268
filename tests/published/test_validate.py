"""The cited numbers of `entropax validate --quick`, group by group; `make validate`: all."""

import pytest

from entropax import cli, validate

QUICK = [name for name, group in validate.GROUPS.items() if group.quick is not None]


@pytest.mark.parametrize("name", QUICK)
def test_rows_agree(name: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["validate", name, "--quick"])
    out = capsys.readouterr().out
    assert not stop.value.code, out
    assert "rows agree" in out
    assert ("steady particle current" in out) == (name == "steady")
