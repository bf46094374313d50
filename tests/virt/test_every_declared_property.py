"""Every declared place of every document: set, read back, nothing else changed, cleared.

Walks all Node classes of kvmweb.virt.xml, so a new one is in here by itself.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from lxml import etree

import kvmweb.virt.xml
from kvmweb.virt.xml.document import Field, Flag, Int, Many, Node, One, Size, Text

FOREIGN = (
    "<other xmlns:x='urn:x' x:a='1'>text<deep><!-- kept -->"
    "<deeper b='2'/>tail</deep></other>"
)


def _classes() -> Iterator[type[Node]]:
    for module in pkgutil.iter_modules(kvmweb.virt.xml.__path__):
        importlib.import_module(f"kvmweb.virt.xml.{module.name}")
    waiting = [Node]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.tag and kind.__module__.startswith("kvmweb.virt.xml"):
            yield kind


def _fields(kind: type[Node]) -> dict[str, Field[Any]]:
    found: dict[str, Field[Any]] = {}
    for each in reversed(kind.__mro__):
        found |= {k: v for k, v in vars(each).items() if isinstance(v, Field)}
    return found


CLASSES = sorted(set(_classes()), key=lambda kind: (kind.__module__, kind.__qualname__))
PLACES = [
    pytest.param(kind, name, id=f"{kind.__module__[15:]}.{kind.__qualname__}.{name}")
    for kind in CLASSES
    for name in _fields(kind)
]


def _values(field: Field[Any]) -> list[Any]:
    """What can stand there, two of each."""
    if isinstance(field, Many):
        return [[field.kind.make()], [field.kind.make(), field.kind.make()]]
    if isinstance(field, One):
        return [field.kind.make(), field.kind.make()]
    if isinstance(field, Flag):
        return [True, False] if field.attribute else [True]
    plain: dict[type[Field[Any]], list[Any]] = {
        Size: [4096, 4097],
        Int: [0, 7],
        Text: ["a", "b <&> é"],
    }
    return next(told for kind, told in plain.items() if isinstance(field, kind))


def _told(value: Any) -> Any:
    """A value that can be compared."""
    if isinstance(value, Node):
        return str(value)
    if hasattr(value, "__len__") and not isinstance(value, str):
        return [str(each) for each in value]
    return value


def _empty(field: Field[Any]) -> Any:
    match field:
        case Many():
            return []
        case Text():
            return ""
        case Flag():
            return False
    return None


def _with_others(kind: type[Node]) -> Node:
    """One of this kind among elements and attributes that nobody declares."""
    node = kind.make()
    node.element.set("undeclared", "kept")
    node.element.append(etree.fromstring(FOREIGN))
    return node


def test_all_that_is_declared_is_found() -> None:
    names = {kind.__name__ for kind in CLASSES}
    assert {"Domain", "Disk", "Nic", "Network", "Pool", "Volume"} <= names
    assert len(PLACES) > 300


@pytest.mark.parametrize(("kind", "name"), PLACES)
def test_it_is_set_read_changed_and_cleared_and_nothing_else(
    kind: type[Node], name: str
) -> None:
    field = _fields(kind)[name]
    node = _with_others(kind)
    before = _others(node)
    assert _told(getattr(node, name)) == _empty(field)
    untouched = str(node)
    for value in _values(field):
        wanted = _told(value)
        setattr(node, name, value)
        assert _told(getattr(node, name)) == wanted
        assert _others(node) == before
        again = kind.parse(str(node))
        assert _told(getattr(again, name)) == wanted
    setattr(node, name, [] if isinstance(field, Many) else None)
    assert _told(getattr(node, name)) == _empty(field)
    assert _others(node) == before
    if not isinstance(field, Many | One):
        assert kind.parse(str(node)).element.tag == kind.tag
        assert _plain(str(node)) == _plain(untouched)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__qualname__)
def test_all_of_it_together_says_what_was_set(kind: type[Node]) -> None:
    places = _fields(kind)
    values = {name: _values(field)[-1] for name, field in places.items()}
    own = {name: places[name] for name in vars(kind) if name in places}
    assert len({_place(it) for it in own.values()}) == len(own), "Two names, one place."
    if kind.__base__ is not Node:
        return  # another view of the same element; each alone was tried above
    node = kind.make(**values)
    told = {name: _told(value) for name, value in values.items()}
    for name in places:
        if not _holds_others(name, places):
            assert _told(getattr(node, name)) == told[name], name


def _place(field: Field[Any]) -> tuple[Any, ...]:
    child = field.kind.tag if isinstance(field, Many | One) else ""
    return (type(field), *field.steps, field.attribute, child)


def _holds_others(name: str, places: dict[str, Field[Any]]) -> bool:
    """Whether other places lie in the element that this one is about."""
    field = places[name]
    if field.attribute:
        return False
    steps = list(field.steps)
    if isinstance(field, Many | One):
        steps.append(field.kind.tag)
    return any(
        it is not field and it.steps[: len(steps)] == steps for it in places.values()
    )


def _others(node: Node) -> list[str]:
    """What nobody declares, as text."""
    kept = [f"undeclared={node.element.get('undeclared')}"]
    found = node.element.findall("other")
    return kept + [etree.tostring(it, with_tail=False).decode() for it in found]


def _plain(text: str) -> str:
    """Without the white space between elements."""
    root = etree.fromstring(text)
    for element in root.iter():
        if not (element.text or "").strip():
            element.text = None
        if not (element.tail or "").strip():
            element.tail = None
    return etree.tostring(root).decode()
