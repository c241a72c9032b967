"""One JSON value has one canonical text: sorted keys, no white space, numbers by value; nothing with a meaning is lost.

`1`, `1.0` and `1e0` are one number, `true` is not `1`, integers and decimals of any length keep every digit, an object
with a repeated key keeps each of its members. Lone surrogates, NUL, NaN and Infinity pass.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from json import JSONDecodeError, JSONDecoder, JSONEncoder
from json import detect_encoding as detect  # what json.loads does with bytes

from llm_simulator.types import JSON

# Values that JSON text cannot spell are objects with one key that begins with a lone surrogate: no client sends that.
ANY: JSON = {"\ud800any": True}
"""What stands where a value is ignored."""

_EXACT = "\ud800number"
_PAIRS = "\ud800pairs"
_NUMBER = re.compile(r"(-?)0*(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?")
_DIGITS = 4300  # what int() takes of text (sys.set_int_max_str_digits)
_SAFE = 2.0**53


def load(data: bytes) -> JSON:
    """The value of JSON bytes in UTF-8, 16 or 32. Raises ValueError (no JSON) or RecursionError (too deep)."""
    text = data.decode(detect(data), "surrogatepass").removeprefix("\ufeff")
    try:
        return _FAST.decode(text)
    except JSONDecodeError:
        raise
    except ValueError:  # an integer with more digits than int() takes
        return _SLOW.decode(text)


def dump(value: JSON) -> bytes:
    """The canonical text of a value that `load` made."""
    return _ENCODER.encode(value).encode("utf-8", "surrogatepass")


def texts(value: JSON) -> tuple[set[str], list[str]]:
    """The keys in it, and every string value, in no order that matters."""
    keys: set[str] = set()
    found: list[str] = []
    todo = [value]
    while todo:
        node = todo.pop()
        if type(node) is str:
            found.append(node)
        elif type(node) is dict:
            keys.update(node)
            todo.extend(node.values())
        elif type(node) is list:
            todo.extend(node)
    return keys, found


def hide(value: JSON, secret: Callable[[str], bool], mark: str) -> None:
    """Puts `mark` in place of each string whose member's name is `secret`, at any depth, in place."""
    todo = [value]
    while todo:
        node = todo.pop()
        if type(node) is dict:
            node.update({name: mark for name, item in node.items() if type(item) is str and secret(name)})
            todo.extend(node.values())
        elif type(node) is list:
            todo.extend(node)


def edit(value: JSON, change: Callable[[str], str], keys: bool = False) -> JSON:
    """The value with `change` applied to each string (and to each key where asked); containers are changed in place."""
    root = [value]
    todo: list[JSON] = [root]
    while todo:
        node = todo.pop()
        for at, item in list(node.items()) if type(node) is dict else enumerate(node):
            if type(item) is str:
                node[at] = change(item)
            elif type(item) is dict or type(item) is list:
                todo.append(item)
        if keys and type(node) is dict:
            _rename(node, change)
    return root[0]


def _rename(node: dict[str, JSON], change: Callable[[str], str]) -> None:
    """Changes keys; those that become equal are kept apart by their number."""
    if all(change(key) == key for key in node):
        return
    members = list(node.items())
    node.clear()
    for key, item in members:
        name = change(key)
        node[name if name not in node else f"{name}\ud800{len(node)}"] = item


def _pairs(pairs: list[tuple[str, JSON]]) -> JSON:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    return {_PAIRS: sorted(([key, item] for key, item in pairs), key=lambda pair: str(pair[0]))}


def _float(text: str) -> JSON:
    """A number with a fraction or an exponent: an int if it is whole, a float if that is exact, else its digits."""
    number = float(text)
    if abs(number) < _SAFE and repr(number) == text:
        return int(number) if number.is_integer() else number
    return _exact(text, number)


def _exact(text: str, number: float) -> JSON:
    sign, digits, exponent = decimal(text)
    if exponent >= 0 and len(digits) + exponent <= _DIGITS:
        return int(sign + digits + "0" * exponent)
    if math.isfinite(number) and decimal(repr(number)) == (sign, digits, exponent):
        return number
    return {_EXACT: f"{sign}{digits}e{exponent}"}


def _int(text: str) -> JSON:
    return int(text) if len(text.lstrip("-")) <= _DIGITS else _exact(text, math.inf)


def decimal(text: str) -> tuple[str, str, int]:
    """Sign, digits without zeros at either end, and power of ten of a JSON number. Zero has no sign and power 0."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is no JSON number")
    sign, whole, fraction, power = match.groups(default="")
    digits = (whole + fraction).lstrip("0")
    kept = digits.rstrip("0")
    if not kept:
        return "", "0", 0
    # An exponent of thousands of digits is no number that anyone compares: it only must not cost anything.
    return sign, kept, _power(power) - len(fraction) + len(digits) - len(kept)


def _power(text: str) -> int:
    return int(text[:_DIGITS] or "0")


_FAST = JSONDecoder(object_pairs_hook=_pairs, parse_float=_float)
_SLOW = JSONDecoder(object_pairs_hook=_pairs, parse_float=_float, parse_int=_int)
_ENCODER = JSONEncoder(sort_keys=True, ensure_ascii=False, check_circular=False, separators=(",", ":"))
