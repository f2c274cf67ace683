"""What a person sees during and after a command: progress bars and tables."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable

from wsgateway.bench.findings import Table


class Screen:
    """A terminal, or what stands in for one.

    Args:
        file: where to write; standard output by default.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        self._console = Console(file=file, highlight=False)
        if not self._console.is_terminal:
            self._console.width = 160  # a file: do not wrap the tables

    def say(self, text: str, style: str | None = None) -> None:
        """Print a line."""
        self._console.print(text, style=style, markup=False)

    @contextmanager
    def bar(self, name: str) -> Iterator[Callable[[float, str], None]]:
        """Show a bar until the block ends; yields what moves it: how much is done, and a word."""
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[word]}", markup=False),
        )
        with Progress(*columns, console=self._console, transient=True) as shown:
            task = shown.add_task(name, total=1.0, word="starting")

            def move(done: float, word: str) -> None:
                shown.update(task, completed=done, word=word)

            yield move

    def table(self, table: Table) -> None:
        """Print a table, and its note."""
        made = RichTable(title=table.title, title_justify="left", title_style="bold")
        for number, column in enumerate(table.columns):
            made.add_column(column, justify="right" if number else "left")
        for row in table.rows:
            made.add_row(*row)
        self._console.print(made)
        if table.note:
            self.say(table.note)
