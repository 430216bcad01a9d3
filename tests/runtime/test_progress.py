"""Progress is for terminals only."""

from accord.runtime.progress import bar, track


def test_nothing_is_printed_where_there_is_no_terminal(capfd):
    with bar(3, "training", completed=1) as advance:
        advance()
        advance(1, "loss 2.0")
    assert list(track([1, 2], 2, "sampling")) == [1, 2]
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_a_terminal_sees_how_far_it_is(monkeypatch, capfd):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with bar(2, "training") as advance:
        advance(1, "loss 2.0")
        advance()
    shown = capfd.readouterr().err
    assert "training" in shown
    assert "2/2" in shown
    assert "loss 2.0" in shown
