"""Predictions: guess first, compare after. Nobody is marked for a guess."""

from collections.abc import Mapping

from wsgateway.lab.language import say, text


class Prediction:
    """A question with lettered answers, and the learner's guess if there is one.

    Args:
        options: letter -> (English, Chinese).
        guess: one of the letters, or None.

    Raises:
        ValueError: a guess that is not among the letters.
    """

    def __init__(self, options: Mapping[str, tuple[str, str]], guess: str | None = None) -> None:
        if guess is not None and guess not in options:
            raise ValueError(f"guess one of {', '.join(options)}, or None; not {guess!r}")
        self.options = dict(options)
        self.guess = guess

    def show(self) -> None:
        """Print the options, and whether there is a guess."""
        for letter, (en, zh) in self.options.items():
            print(f"  {letter}  {text(en, zh, separator=' / ')}")
        if self.guess is None:
            say("No guess yet: set guess=... and run again.", "还没有猜：填上 guess=... 再运行。")
        else:
            say(f"You guessed {self.guess}.", f"你猜的是 {self.guess}。")

    def compare(self, answer: str) -> bool:
        """Print the measured answer beside the guess; return whether they agree."""
        en, zh = self.options[answer]
        say(f"Measured: {answer}, {en}.", f"实测结果：{answer}，{zh}。")
        if self.guess is None:
            return False
        if self.guess == answer:
            say("Your guess was right.", "你猜对了。")
            return True
        say(
            f"You guessed {self.guess}: good, now there is something to explain.",
            f"你猜的是 {self.guess}：很好，正好值得弄清楚为什么。",
        )
        return False


def predict(options: Mapping[str, tuple[str, str]], guess: str | None = None) -> Prediction:
    """Show a question's options, keep the guess, and return it for `compare` later."""
    prediction = Prediction(options, guess)
    prediction.show()
    return prediction
