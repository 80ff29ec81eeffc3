"""What a module offers, as JSON on stdout: names, enumerations, methods with their parameters, properties.

python surface.py real-tensorrt | real-cuda | standin-tensorrt | standin-cuda

Real ones are read from their docstrings (pybind11) and signatures (Cython), stand-ins from their source.
"""

from __future__ import annotations
import __future__

import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any, get_args, get_origin, get_type_hints

Parameter = list[Any]
"""Name, whether it has a default, and the type in a word (``any`` where that is not compared)."""
_SIGNATURE = re.compile(r"^(?:\d+\. )?(?P<name>\w+)\((?P<parameters>.*)\)(?: -> (?P<returned>.*))?$")
_WORDS = {"buffer": "buffer", "Buffer": "buffer", "tuple": "tuple", "list": "list", "str": "str", "bool": "bool"}


def surface(module: ModuleType, read: Callable[[Any, str], Any]) -> dict[str, Any]:
    """Everything public in `module`; `read` gives the signatures of a function."""
    names = [name for name in dir(module) if not name.startswith("_")]
    return {name: described for name in names if (described := _described(getattr(module, name), name, read))}


def _described(found: Any, name: str, read: Callable[[Any, str], Any]) -> dict[str, Any] | None:
    if _is_enumeration(found):
        return {"kind": "enumeration", "members": _members(found), "ordered": _is_ordered(found)}
    if isinstance(found, type):
        return {"kind": "class", **_class(found, read)}
    if isinstance(found, ModuleType | __future__._Feature):
        return None
    if callable(found):
        return {"kind": "function", "signatures": read(found, name)}
    return {"kind": "value", "value": found if isinstance(found, int | str) else str(found)}


def _is_enumeration(found: Any) -> bool:
    return isinstance(found, type) and hasattr(found, "__members__")


def _members(found: Any) -> dict[str, int]:
    return {name: int(member) for name, member in found.__members__.items()}


def _is_ordered(found: Any) -> bool:
    first = next(iter(found.__members__.values()))
    try:
        return bool(first <= first)
    except TypeError:
        return False


def _class(found: type, read: Callable[[Any, str], Any]) -> dict[str, Any]:
    methods, properties, nested = {}, {}, {}
    slots = {name for base in found.__mro__ for name in vars(base).get("__slots__", ())}
    for name in dir(found):
        if (name.startswith("_") and name != "__init__") or _is_builtin(found, name):
            continue
        member = inspect.getattr_static(found, name)
        if isinstance(member, property):
            properties[name] = member.fset is not None
        elif type(member).__name__ in ("getset_descriptor", "member_descriptor") or name in slots:
            properties[name] = True
        elif _is_enumeration(member):
            nested[name] = _members(member)
        elif callable(member) or isinstance(member, classmethod | staticmethod):
            methods[name] = read(getattr(found, name), name)
    return {"methods": methods, "properties": properties, "nested": nested}


def _is_builtin(found: type, name: str) -> bool:
    """Whether a class only inherits `name` from one of Python's own."""
    return all(base.__module__ == "builtins" for base in found.__mro__ if name in vars(base))


# Real modules


def read_docstring(function: Any, name: str) -> list[dict[str, Any]] | None:
    """The overloads in a docstring of pybind11; None if it tells none."""
    if isinstance(function, FunctionType):
        return read_source(function, name)
    overloads = []
    for line in (function.__doc__ or "").splitlines():
        match = _SIGNATURE.match(line.strip())
        if match and match["name"] == name and match["returned"] is not None:
            parameters = [p for p in map(_parameter, _split(match["parameters"])) if p[0] != "self"]
            overloads.append({"parameters": parameters, "returned": _word(match["returned"])})
    return overloads or None


def _split(text: str) -> Iterator[str]:
    """Parameters, at the commas that stand in no bracket."""
    depth, current = 0, ""
    for character in text:
        depth += (character in "([<{") - (character in ")]>}")
        if character == "," and not depth:
            yield current.strip()
            current = ""
        else:
            current += character
    if current.strip():
        yield current.strip()


def _parameter(text: str) -> Parameter:
    declared, equals, _ = text.partition(" = ")
    name, _, kind = declared.partition(":")
    return [name.strip(), bool(equals), _word(kind)]


def _word(kind: str) -> str:
    """The type in a word."""
    kind = kind.strip()
    if kind in ("int", "float", "None"):
        return kind
    if "SupportsFloat" in kind:
        return "float"
    if kind.startswith(("typing.SupportsInt", "typing.SupportsIndex")):
        return "int"
    last = kind.replace("::", ".").rpartition(".")[2].replace("IParserError", "ParserError")
    if last == "CapsuleType":
        return "any"
    return _WORDS.get(last, last if re.fullmatch(r"[A-Z]\w+", last) else "any")


def read_cython(function: Any, name: str) -> list[dict[str, Any]] | None:
    """The signature of a function of cuda-bindings, with how many values it returns beside the error."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_POSITIONAL for p in found):
        return None
    parameters = [[p.name, p.default is not p.empty, "any"] for p in found if p.name != "self"]
    section = (function.__doc__ or "").partition("Returns\n-------\n")[2]
    section = re.split(r"\n\w[\w ]*\n-{3,}\n", section, maxsplit=1)[0]
    returned = [line for line in section.splitlines() if line and not line.startswith(" ")]
    return [{"parameters": parameters, "returned": str(len(returned)) if returned else "any"}]


# Stand-ins


def read_source(function: Any, name: str) -> list[dict[str, Any]] | None:
    """The signature of a function of ours."""
    plain = inspect.unwrap(function)
    if not isinstance(plain, FunctionType):
        return None
    hints = get_type_hints(plain)
    if any(p.kind is p.VAR_POSITIONAL for p in inspect.signature(plain).parameters.values()):
        return None
    parameters = [
        [p.name, p.default is not inspect.Parameter.empty, _word_of(hints.get(p.name))]
        for p in inspect.signature(plain).parameters.values()
        if p.name != "self"
    ]
    returned = hints.get("return")
    values = str(len(get_args(returned))) if get_origin(returned) is tuple else _word_of(returned)
    return [{"parameters": parameters, "returned": values}]


def _word_of(hint: Any) -> str:
    options = [option for option in get_args(hint) if option is not type(None)]
    if len(options) == 1 and get_origin(hint) not in (list, tuple):
        hint = options[0]
    if hint is type(None):
        return "None"
    name = getattr(hint, "__name__", "any")
    if name == "Buffer":
        return "buffer"
    return name if name in ("int", "float", "str", "bool", "tuple") or name[0].isupper() else "any"


def main() -> None:
    """Print the surface of the module that the argument names."""
    kind = sys.argv[1]
    location, read = {
        "real-tensorrt": ("tensorrt_bindings", read_docstring),
        "standin-tensorrt": ("tensorrt", read_source),
        "real-cuda": ("cuda.bindings.runtime", read_cython),
        "standin-cuda": ("cuda.bindings.runtime", read_source),
    }[kind]
    sys.stdout.write(json.dumps(surface(import_module(location), read)))


if __name__ == "__main__":
    main()
