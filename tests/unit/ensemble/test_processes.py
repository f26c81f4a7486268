"""Which share of the draws is this process's."""

import re

import pytest

from entropax.ensemble import processes


def test_shares_are_whole_chunks_and_all() -> None:
    for samples, chunk, size in ((20, 8, 2), (1000, 16, 7), (5, 4, 8), (16, 16, 3)):
        shares = [processes.Share(i, size).of(samples, chunk) for i in range(size)]
        assert shares[0][0] == 0
        assert shares[-1][1] == samples
        assert [a for a, _ in shares[1:]] == [b for _, b in shares[:-1]]
        assert all(a % chunk == 0 or a == samples for a, _ in shares)
        lengths = [-(-(b - a) // chunk) for a, b in shares]
        assert max(lengths) - min(lengths) <= 1


def without_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for names in processes._LAUNCHERS:
        for name in names:
            monkeypatch.delenv(name, raising=False)


def test_share_is_what_the_launcher_says(monkeypatch: pytest.MonkeyPatch) -> None:
    without_launcher(monkeypatch)
    assert processes.found() == (0, 1)
    monkeypatch.setenv("SLURM_PROCID", "0")  # of a batch script, which is no step
    monkeypatch.setenv("SLURM_NTASKS", "8")
    assert processes.found() == (0, 1)
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "8")
    assert processes.found() == (0, 8)
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "2")
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "4")
    assert processes.found() == (2, 4)


@pytest.mark.parametrize("half", [("0", ""), ("", "4"), (" ", " "), ("0", None), (None, "4")])
def test_half_a_launcher_is_none(
    half: tuple[str | None, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As what a shell or a container leaves behind; and the next one is asked."""
    without_launcher(monkeypatch)
    for name, value in zip(("PMI_RANK", "PMI_SIZE"), half, strict=True):
        if value is not None:
            monkeypatch.setenv(name, value)
    assert processes.found() == (0, 1)
    monkeypatch.setenv("SLURM_PROCID", "3")
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", " 8\n")
    assert processes.found() == (3, 8)


@pytest.mark.parametrize(
    ("rank", "size"),
    [("one", "4"), ("0", "many"), ("4", "4"), ("-1", "4"), ("0", "0"), ("1.0", "2")],
)
def test_a_launcher_that_makes_no_sense_is_named(
    rank: str, size: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_launcher(monkeypatch)
    monkeypatch.setenv("PMI_RANK", rank)
    monkeypatch.setenv("PMI_SIZE", size)
    found = re.escape(f"but are {rank!r} and {size!r}")
    with pytest.raises(ValueError, match=f"`PMI_RANK` and `PMI_SIZE` in the environment.*{found}"):
        processes.found()
