"""The command line, in this process: what it prints, refuses and returns."""

import pytest

import entropax as ex
from entropax import cli, figures, validate


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        cli.main([str(argument) for argument in arguments])
    return int(stop.value.code or 0)


def test_list_names_every_study(capsys: pytest.CaptureFixture) -> None:
    assert run("list") == 0
    out = capsys.readouterr().out
    assert all(name in out for name in figures.ALL)


def test_about_names_versions(capsys: pytest.CaptureFixture) -> None:
    assert run("about") == 0
    out = capsys.readouterr().out
    assert ex.__version__ in out
    assert "jaxlib" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("reproduce", "usui2024-fig55"), "no study named `usui2024-fig55`"),
        (("reproduce", "--modes", "1"), "Must be >= 4"),
        (("reproduce", "--times", "0"), "Must be >= 8"),
    ],
)
def test_misuse_is_told(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture
) -> None:
    assert run(*arguments) != 0
    captured = capsys.readouterr()
    assert message in captured.out + captured.err


GOOD = validate.Row("n", "somewhere", 1.0, 1.0 + 1e-10, 1e-9)


def test_validate_notices_a_wrong_number(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = validate.Group(lambda: iter([GOOD, GOOD._replace(found=1.1)]), None)
    monkeypatch.setattr(validate, "GROUPS", {"wrong": wrong})
    assert run("validate") == 1
    assert GOOD.agrees
    assert not GOOD._replace(found=float("nan")).agrees
    # allowed is relative above 1, absolute below
    assert validate.Row("n", "s", 1000.0, 1000.0005, 1e-6).agrees
    assert not validate.Row("n", "s", 0.001, 0.002, 1e-6).agrees


def test_validate_quick_leaves_out_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    groups = {
        "sound": validate.Group(lambda: iter([GOOD, GOOD]), lambda: iter([GOOD])),
        "large-wrong": validate.Group(lambda: iter([GOOD._replace(found=2.0)]), None),
        "large-sound": validate.Group(lambda: iter([GOOD]), None),
    }
    monkeypatch.setattr(validate, "GROUPS", groups)
    assert run("validate") == 1
    out = capsys.readouterr().out
    assert "3 of 4 rows agree." in out
    assert "Only at full size" not in out
    assert run("validate", "--quick") == 0
    out = capsys.readouterr().out
    assert "1 of 1 rows agree." in out
    assert "Only at full size: large-wrong, large-sound." in out
    assert run("validate", "sound", "--quick") == 0
    assert "Only at full size" not in capsys.readouterr().out
    assert run("validate", "large") == 1
    assert "1 of 2 rows agree." in capsys.readouterr().out
    assert run("validate", "larger") == 2
    assert "no rows named `larger`; there are: sound, large-wrong" in capsys.readouterr().out
