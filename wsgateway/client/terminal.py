"""The terminal side of the chat: bytes from stdin, a one-line editor, a prompt that stays below."""

import asyncio
import codecs
import os
import shutil
import sys
import threading
import unicodedata
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

_BACKSPACE, _KILL_LINE, _KILL_WORD, _END_OF_INPUT, _ESCAPE = (
    "\x7f\b",
    "\x15",
    "\x17",
    "\x04",
    "\x1b",
)
_CLEAR_LINE = "\r\x1b[K"


class LineEditor:
    """Turns key presses into lines. Pure.

    Knows backspace, Ctrl-U (line), Ctrl-W (word), Ctrl-D (end); ignores arrows and other keys.
    """

    # Why: the terminal's own line editing cannot redraw what is being typed when a message comes
    # in; readline cannot from another thread; a library would be one more dependency.
    # 原因：消息到来时，终端自带的行编辑无法重画正在输入的内容，readline 不能跨线程重画，
    # 而引入第三方库又多一个依赖。
    def __init__(self) -> None:
        self.text = ""
        self.ended = False
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._escape = ""

    def feed(self, data: bytes) -> list[str]:
        """Take bytes as typed; return the lines they complete."""
        lines: list[str] = []
        for char in self._decode(data):
            if self._in_escape(char):
                continue
            if char in "\r\n":
                lines.append(self.text)
                self.text = ""
            elif char in _BACKSPACE:
                self.text = _without_last(self.text)
            elif char == _KILL_LINE:
                self.text = ""
            elif char == _KILL_WORD:
                self.text = self.text.rstrip()
                self.text = self.text[: self.text.rfind(" ") + 1]
            elif char == _END_OF_INPUT and not self.text:
                self.ended = True
                break
            elif char.isprintable() or unicodedata.combining(char):
                self.text += char
        return lines

    def _in_escape(self, char: str) -> bool:
        """Swallow escape sequences: ESC [ ... letter, ESC O letter, ESC key."""
        if not self._escape:
            self._escape = char if char == _ESCAPE else ""
            return char == _ESCAPE
        self._escape += char
        body = self._escape[1:]
        if not (body in ("[", "O") or (body[0] == "[" and not "@" <= char <= "~")):
            self._escape = ""
        return True


class Screen:
    """Writes lines; on a terminal it keeps the prompt and what is being typed below them.

    Args:
        editor: what is being typed; None when there is no prompt to keep.
    """

    def __init__(self, editor: LineEditor | None) -> None:
        self.prompt = ""
        self._editor = editor

    def print(self, line: str) -> None:
        """Write one line above the prompt."""
        sys.stdout.write(f"{_CLEAR_LINE if self._editor else ''}{visible(line)}\n")
        self.redraw()

    def redraw(self) -> None:
        """Draw the prompt again, as much of its end as fits."""
        if self._editor is not None:
            width = shutil.get_terminal_size().columns - 1
            sys.stdout.write(_CLEAR_LINE + tail(self.prompt + self._editor.text, width))
        sys.stdout.flush()

    def leave(self) -> None:
        """Take the prompt away and print no more of it."""
        if self._editor is not None:
            self._editor = None
            sys.stdout.write(_CLEAR_LINE)
            sys.stdout.flush()


def visible(text: str) -> str:
    """Return `text` with control characters spelled out: a message must not drive the terminal."""
    return "".join(
        char if char.isprintable() or unicodedata.combining(char) else ascii(char)[1:-1]
        for char in text
    )


def tail(text: str, columns: int) -> str:
    """Return the end of `text` that fits into `columns`; CJK characters take two."""
    used = 0
    for at in range(len(text) - 1, -1, -1):
        used += _columns(text[at])
        if used > columns:
            return text[at + 1 :]
    return text


@contextmanager
def keys_at_once(fd: int) -> Iterator[None]:
    """Have the terminal hand over each key as it is pressed, without echo; Ctrl-C still works."""
    import termios  # not on Windows, where the chat reads whole lines instead
    import tty

    before = termios.tcgetattr(fd)
    tty.setcbreak(fd)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


async def chunks(fd: int) -> AsyncIterator[bytes]:
    """Yield what `fd` gives until its end: a terminal, a pipe or a file.

    The next chunk is read once the previous one was dealt with.
    """
    # Why: the event loop cannot wait for a regular file, and making stdin non-blocking makes
    # the terminal's stdout so too. os.read holds no lock of Python's, so this thread, blocked
    # for ever, does not hinder the exit.
    # 原因：事件循环无法等待普通文件；把 stdin 设为非阻塞又会连带影响终端的 stdout。
    # os.read 不持有 Python 的锁，所以线程一直阻塞也不妨碍进程退出。
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[bytes] = asyncio.Queue()
    taken = threading.Semaphore(0)

    def pump() -> None:
        data = b"more"
        while data:
            try:
                data = os.read(fd, 65536)
            except OSError:  # a terminal that was hung up
                data = b""
            if loop.is_closed():
                return
            loop.call_soon_threadsafe(waiting.put_nowait, data)
            taken.acquire()

    threading.Thread(target=pump, name="stdin", daemon=True).start()
    while data := await waiting.get():
        yield data
        taken.release()


async def plain_lines(fd: int) -> AsyncIterator[str]:
    """Yield the lines of a pipe or file, also a last one without its newline."""
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    rest = ""
    async for data in chunks(fd):
        *lines, rest = (rest + decode(data)).split("\n")
        for line in lines:
            yield line.removesuffix("\r")
    if rest:
        yield rest


async def typed_lines(fd: int, editor: LineEditor, screen: Screen) -> AsyncIterator[str]:
    """Yield the lines typed at a terminal, inside `keys_at_once`, until Ctrl-D."""
    async for data in chunks(fd):
        lines = editor.feed(data)
        screen.redraw()
        for line in lines:
            yield line
        if editor.ended:
            return


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _without_last(text: str) -> str:
    at = len(text) - 1
    while at > 0 and unicodedata.combining(text[at]):
        at -= 1
    return text[: max(at, 0)]
