"""What code spans name: looked up in the package, attribute by attribute, call by call.

A span is read as Python. `cluster` is an instance of what the lesson's code assigns to it, and what
a call returns is what its annotation says; where that leads nowhere, nothing is claimed.
"""

import ast
import builtins
import importlib
import inspect
import re
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pages import ROOT

_UNKNOWN = object()


@dataclass(frozen=True)
class Instance:
    """A value of which only the type is known."""

    hint: Any

    @property
    def type(self) -> Any:
        """Its class, without type parameters."""
        return typing.get_origin(self.hint) or self.hint


class Names:
    """The names a page or a lesson can use, and what is behind them."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = dict(vars(builtins))
        for name in ("wsgateway", "wsgateway.lab"):
            self.known[name.rpartition(".")[2]] = importlib.import_module(name)
        for name, module in _classes().items():
            self.known[name] = getattr(importlib.import_module(module), name)

    def learn(self, source: str) -> None:
        """Take in the names a code cell binds."""
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    self._bind(target, node.value)
            elif isinstance(node, ast.With):
                for item in node.items:
                    self._bind(item.optional_vars, item.context_expr)
            elif isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module or "")
                for one in node.names:
                    self.known[one.asname or one.name] = _attribute(module, one.name)
            elif isinstance(node, ast.Import):
                for one in node.names:
                    self.known[one.asname or one.name] = importlib.import_module(one.name)
            elif isinstance(node, ast.FunctionDef):
                self.known[node.name] = _UNKNOWN

    def faults(self, span: str) -> Iterator[str]:
        """Yield what a code span names that does not exist, or calls in a way it cannot be."""
        try:
            tree = ast.parse(span)
        except SyntaxError:
            return  # a command, a key, a frame
        for node in ast.walk(tree):
            try:
                if isinstance(node, ast.Attribute):
                    self.value(node)
                elif isinstance(node, ast.Call):
                    self._call(node)
            except (AttributeError, TypeError) as error:
                yield f"{span}: {error}"

    def value(self, node: ast.expr) -> Any:
        """Return what an expression is: an object of the package, an `Instance`, or unknown."""
        if isinstance(node, ast.Name):
            return self.known.get(node.id, _UNKNOWN)
        if isinstance(node, ast.Attribute):
            return _attribute(self.value(node.value), node.attr)
        if isinstance(node, ast.Call):
            return _returned(self.value(node.func))
        if isinstance(node, ast.Subscript):
            base = self.value(node.value)
            inner = typing.get_args(base.hint) if isinstance(base, Instance) else ()
            if inner and base.type is tuple and isinstance(node.slice, ast.Constant):
                return Instance(inner[node.slice.value])
            return Instance(inner[-1]) if inner else _UNKNOWN
        return _UNKNOWN

    def _call(self, node: ast.Call) -> None:
        """Raise TypeError if the function does not take these arguments."""
        if isinstance(node.func, ast.Name) and node.func.id not in self.known:
            if not _defined(node.func.id):
                raise AttributeError(f"nothing here is called {node.func.id}")
            return
        if not node.args and not node.keywords:
            return  # a name with brackets, as prose writes it: `lab.doctor()`
        function = self.value(node.func)
        open_ended = any(
            isinstance(one, ast.Starred) or (isinstance(one, ast.Constant) and one.value is ...)
            for one in node.args
        )
        if open_ended or any(one.arg is None for one in node.keywords) or not callable(function):
            return
        try:
            signature = inspect.signature(function)
        except ValueError:
            return  # a builtin that does not tell
        through = self.value(node.func.value) if isinstance(node.func, ast.Attribute) else None
        is_method = isinstance(through, Instance) and inspect.isfunction(function)
        given: list[Any] = [None] * (len(node.args) + is_method)
        signature.bind(*given, **{one.arg or "": None for one in node.keywords})

    def _bind(self, target: ast.expr | None, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            try:
                self.known[target.id] = self.value(value)
            except AttributeError:
                self.known[target.id] = _UNKNOWN
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for one, its in zip(target.elts, value.elts, strict=False):
                self._bind(one, its)


def _attribute(base: Any, name: str) -> Any:
    """Return an attribute.

    Raises:
        AttributeError: there is none.
    """
    if base is _UNKNOWN:
        return _UNKNOWN
    if not isinstance(base, Instance):
        if inspect.ismodule(base) and not hasattr(base, name):
            try:
                return importlib.import_module(f"{base.__name__}.{name}")
            except ModuleNotFoundError as error:
                raise AttributeError(f"{base.__name__} has no {name}") from error
        if not inspect.isclass(base):
            return getattr(base, name)
        base = Instance(base)
    owner = base.type
    if not inspect.isclass(owner) or owner is typing.Any:
        return _UNKNOWN
    if hasattr(owner, name):
        found = inspect.getattr_static(owner, name)
        if isinstance(found, property):
            return _returned(found.fget)
        return getattr(owner, name)
    hints = typing.get_type_hints(owner)
    if name in hints:
        return Instance(hints[name])
    for one in owner.__mro__[:-1]:
        written = re.search(rf"self\.{name}(?:: ([^=\n]+))? =", inspect.getsource(one))
        if written:
            return _hinted(one, written[1])
    raise AttributeError(f"{owner.__name__} has no {name}")


def _hinted(owner: type, annotation: str | None) -> Any:
    """Return an instance of what an annotation in a class's source says."""
    if annotation is None:
        return _UNKNOWN
    scope = vars(importlib.import_module(owner.__module__))
    return Instance(eval(annotation, dict(scope)))


def _returned(function: Any) -> Any:
    """Return an instance of what calling this gives."""
    if inspect.isclass(function):
        return Instance(function)
    if not inspect.isroutine(function):
        return _UNKNOWN
    try:
        hint = typing.get_type_hints(function).get("return", _UNKNOWN)
    except (NameError, TypeError):
        return _UNKNOWN
    return _UNKNOWN if hint is _UNKNOWN or hint is None else Instance(hint)


def _sources() -> list[Path]:
    return [p for p in (ROOT / "wsgateway").rglob("*.py") if p.name != "__main__.py"]


def _classes() -> dict[str, str]:
    """Return class -> module, for public classes whose name only one module has."""
    homes: dict[str, list[str]] = {}
    for path in _sources():
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for name in re.findall(r"^class ([A-Z]\w+)", path.read_text("utf-8"), re.MULTILINE):
            homes.setdefault(name, []).append(module)
    return {name: modules[0] for name, modules in homes.items() if len(modules) == 1}


def _defined(name: str) -> bool:
    """Whether anything in the package is defined under this name."""
    definition = re.compile(rf"\b(?:def|class) {name}\b|\b{name}: Callable")
    return any(definition.search(path.read_text("utf-8")) for path in _sources())
