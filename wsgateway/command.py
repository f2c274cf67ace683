"""What the command lines have in common."""

import argparse
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line, as all our errors do; exit status 2."""

    def error(self, message: str) -> NoReturn:
        """Print one line to standard error and end the program."""
        self.exit(2, f"wsgateway: {message} (--help shows all flags)\n")
