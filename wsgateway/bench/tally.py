"""Were the numbered messages of one pair lost, doubled or reordered? Pure."""


class Tally:
    """The recipient's side of one pair: messages are numbered 0, 1, 2, ... as they are sent."""

    __slots__ = ("doubled", "highest", "missing", "refused", "reordered")

    def __init__(self) -> None:
        self.highest = -1
        self.missing: set[int] = set()
        self.refused: set[int] = set()
        self.doubled = 0
        self.reordered = 0

    def hear(self, number: int) -> bool:
        """Note that a message arrived; return whether it is the first time."""
        if number == self.highest + 1:
            self.highest = number
            return True
        if number > self.highest:
            self.missing.update(range(self.highest + 1, number))
            self.highest = number
            return True
        if number in self.missing:
            self.missing.discard(number)
            self.reordered += 1
            return True
        self.doubled += 1
        return False

    def refuse(self, number: int) -> None:
        """Note that the sender was told this message will not arrive."""
        self.refused.add(number)

    def lost(self, sent: int) -> int:
        """Return how many of `sent` messages neither arrived nor were refused."""
        refused = {number for number in self.refused if number > self.highest}
        gone = len(self.missing - self.refused)
        return gone + max(sent - 1 - self.highest, 0) - len(refused)
