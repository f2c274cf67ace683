"""Predictions: kept, compared, never graded."""

import pytest

from wsgateway.lab import predict

OPTIONS = {"a": ("up", "上"), "b": ("down", "下")}


def test_no_guess_says_so_and_still_shows_the_measurement(
    capsys: pytest.CaptureFixture[str],
) -> None:
    prediction = predict(OPTIONS)
    assert "No guess yet" in capsys.readouterr().out
    assert prediction.compare("b") is False
    assert capsys.readouterr().out == "Measured: b, down.\n实测结果：b，下。\n"


@pytest.mark.parametrize(("guess", "agrees"), [("a", False), ("b", True)])
def test_a_guess_is_kept_and_compared(
    guess: str, agrees: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    prediction = predict(OPTIONS, guess=guess)
    assert f"You guessed {guess}." in capsys.readouterr().out
    assert prediction.compare("b") is agrees
    out = capsys.readouterr().out
    assert ("Your guess was right." in out) is agrees
    assert ("You guessed a: good" in out) is not agrees


def test_a_letter_that_is_not_offered_is_refused() -> None:
    with pytest.raises(ValueError, match="guess one of a, b"):
        predict(OPTIONS, guess="c")
