"""Documents by declared classes: say where a value lives, read it, set it.

    class Disk(Node):
        tag = "disk"
        file = Text("source/@file")

A path is steps of element names that end with a name (the element's text), `@name` (an
attribute) or, for `Many` and `One`, the element that holds the children. Names with a
namespace are written `{urn:kvmweb:1}guest`. What no class declares is left as it
stands: elements, attributes, comments, order.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Generic, Self, TypeVar, overload

from lxml import etree

from kvmweb.errors import Invalid

LIMIT_CHARS = 4 * 1024 * 1024  # libvirt's own limit for a string on the wire
INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)
_STEP = re.compile(r"(?:\{[^}]*\})?[^/{}]+")
_NUMBER = re.compile(r"\s*([+-]?)(0x[0-9a-fA-F]+|\d+)\s*")
_POWERS = "kmgtpe"

T = TypeVar("T")
N = TypeVar("N", bound="Node")


def parse(text: str, *, recover: bool = False) -> etree._Element:
    """The root of a document that cannot reach outside itself.

    `recover` takes what can be understood of a broken one.
    Raises Invalid for what is not XML, is too large or brings a document type.
    """
    if len(text) > LIMIT_CHARS:
        raise Invalid(f"The document is larger than {LIMIT_CHARS // 1024**2} MiB.")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        recover=recover,
    )
    try:
        data = text.encode("utf-8", "replace" if recover else "strict")
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Invalid(f"The document is not well-formed XML: {error}.") from error
    if root is None:
        raise Invalid("The document is empty.")
    info: Any = root.getroottree().docinfo
    if info.doctype:
        raise Invalid("The document declares a document type, which is not allowed.")
    return root


class Node:
    """One element of a document; subclasses declare its `tag` and fields."""

    tag = ""

    def __init__(self, element: etree._Element) -> None:
        self.element = element

    @classmethod
    def make(cls, **values: object) -> Self:
        """A new element of this kind with these fields set."""
        node = cls(etree.Element(cls.tag))
        for name, value in values.items():
            if not isinstance(getattr(cls, name, None), Field):
                raise TypeError(f"{cls.__name__} has no field {name}")
            setattr(node, name, value)
        return node

    @classmethod
    def parse(cls, text: str, *, recover: bool = False) -> Self:
        """The document in `text`. Raises Invalid when its root is another element."""
        root = parse(text, recover=recover)
        if root.tag != cls.tag:
            raise Invalid(f"The document is a <{root.tag}>, not a <{cls.tag}>.")
        return cls(root)

    def __str__(self) -> str:
        """The element as XML text, without its document's declaration."""
        return etree.tostring(self.element, encoding="unicode", with_tail=False)


class Field(Generic[T]):
    """A declared place in an element; kinds of it say what stands there."""

    def __init__(self, path: str) -> None:
        steps = _STEP.findall(path) if path != "." else []
        self.attribute = steps.pop()[1:] if steps and steps[-1][0] == "@" else ""
        self.steps: list[str] = steps

    @overload
    def __get__(self, node: None, owner: type[Node]) -> "Field[T]": ...
    @overload
    def __get__(self, node: Node, owner: type[Node]) -> T: ...
    def __get__(self, node: Node | None, owner: type[Node]) -> "Field[T] | T":
        return self if node is None else self.read(node.element)

    def read(self, element: etree._Element) -> T:
        """The value that stands there."""
        raise NotImplementedError

    def find(self, element: etree._Element) -> etree._Element | None:
        """The element that the steps lead to, if it is there."""
        found: etree._Element | None = element
        for step in self.steps:
            found = found.find(step) if found is not None else None
        return found

    def text(self, element: etree._Element) -> str | None:
        """The raw text of the place; None when the place is not there."""
        found = self.find(element)
        if found is None:
            return None
        if self.attribute:
            return found.get(self.attribute)
        return (found.text or "") + "".join(child.tail or "" for child in found)

    def place(self, element: etree._Element) -> etree._Element:
        """The element that the steps lead to, made where it is missing."""
        for step in self.steps:
            found = element.find(step)
            element = append(element, etree.Element(step)) if found is None else found
        return element

    def write(self, element: etree._Element, text: str | None) -> None:
        """Make the place say `text`; None takes it away, and what it leaves empty."""
        if text is None:
            self._clear(element)
            return
        place = self.place(element)
        try:
            if self.attribute:
                place.set(self.attribute, text)
            else:
                place.text = text
        except ValueError as error:
            raise Invalid("The text has characters that XML cannot hold.") from error

    def _clear(self, element: etree._Element) -> None:
        place = self.find(element)
        if place is None:
            return
        if self.attribute:
            if self.attribute not in place.attrib:
                return
            del place.attrib[self.attribute]
            if not (len(place) or len(place.attrib) or place.text):
                remove(place, above=element)
        elif place is element:  # its own text; whoever holds it takes it out
            element.text = None
        else:
            remove(place, above=element)


class Text(Field[str]):
    """Text; "" where the place is not there."""

    def read(self, element: etree._Element) -> str:
        return self.text(element) or ""

    def __set__(self, node: Node, value: str | None) -> None:
        self.write(node.element, value)


class Int(Field[int | None]):
    """A whole number, kept within 64 bits; None where it is missing or not a number."""

    def read(self, element: etree._Element) -> int | None:
        return number(self.text(element))

    def __set__(self, node: Node, value: int | None) -> None:
        self.write(node.element, None if value is None else str(value))


class Flag(Field[bool]):
    """True or false: an element that is there or not, or an attribute of two words."""

    def __init__(self, path: str, words: tuple[str, str] = ("yes", "no")) -> None:
        super().__init__(path)
        self.words = words

    def read(self, element: etree._Element) -> bool:
        text = self.text(element)
        return text == self.words[0] if self.attribute else text is not None

    def __set__(self, node: Node, value: bool | None) -> None:  # noqa: FBT001  Python calls it
        if self.attribute:
            word = None if value is None else self.words[0 if value else 1]
            self.write(node.element, word)
        elif value:
            self.place(node.element)
        else:
            self.write(node.element, None)


class Size(Field[int | None]):
    """An amount in bytes, whatever unit the element names; KiB without one."""

    def __init__(self, path: str, default_unit: str = "KiB") -> None:
        super().__init__(path)
        self.default_unit = default_unit

    def read(self, element: etree._Element) -> int | None:
        place = self.find(element)
        if place is None:
            return None
        return size(self.text(element), place.get("unit") or self.default_unit)

    def __set__(self, node: Node, value: int | None) -> None:
        if value is None:
            self.write(node.element, None)
            if not self.steps and "unit" in node.element.attrib:
                del node.element.attrib["unit"]
            return
        unit, amount = ("b", value) if value % 1024 else ("KiB", value // 1024)
        self.write(node.element, str(amount))
        self.place(node.element).set("unit", unit)


class Children(Sequence[N]):
    """The children of one kind, in their order, as they are now."""

    def __init__(self, kind: type[N], parent: Field[Any], root: Node) -> None:
        self._kind, self._parent, self._root = kind, parent, root

    def _found(self) -> list[etree._Element]:
        parent = self._parent.find(self._root.element)
        return [] if parent is None else parent.findall(self._kind.tag)

    @overload
    def __getitem__(self, index: int) -> N: ...
    @overload
    def __getitem__(self, index: slice) -> list[N]: ...
    def __getitem__(self, index: int | slice) -> N | list[N]:
        if isinstance(index, slice):
            return [self._kind(each) for each in self._found()[index]]
        return self._kind(self._found()[index])

    def __iter__(self) -> Iterator[N]:
        return (self._kind(each) for each in self._found())

    def __len__(self) -> int:
        return len(self._found())

    def add(self, child: N) -> N:
        """Put a child after the last one of its kind; gives it back."""
        parent = self._parent.place(self._root.element)
        found = parent.findall(self._kind.tag)
        append(parent, child.element, after=found[-1] if found else None)
        return child

    def remove(self, child: N) -> None:
        """Take this child out of the document."""
        remove(child.element)


class Many(Field[Children[N]], Generic[N]):
    """All children of a kind under the path's element ("." is this one)."""

    def __init__(self, kind: type[N], path: str = ".") -> None:
        super().__init__(path)
        self.kind = kind

    @overload
    def __get__(self, node: None, owner: type[Node]) -> Field[Children[N]]: ...
    @overload
    def __get__(self, node: Node, owner: type[Node]) -> Children[N]: ...
    def __get__(
        self, node: Node | None, owner: type[Node]
    ) -> Field[Children[N]] | Children[N]:
        return self if node is None else Children(self.kind, self, node)

    def __set__(self, node: Node, children: Sequence[N]) -> None:
        mine = Children(self.kind, self, node)
        for old in list(mine):
            mine.remove(old)
        for child in children:
            mine.add(child)


class One(Field[N | None], Generic[N]):
    """The first child of a kind under the path's element, if there is one."""

    def __init__(self, kind: type[N], path: str = ".") -> None:
        super().__init__(path)
        self.kind = kind

    def read(self, element: etree._Element) -> N | None:
        parent = self.find(element)
        found = None if parent is None else parent.find(self.kind.tag)
        return None if found is None else self.kind(found)

    def __set__(self, node: Node, child: N | None) -> None:
        old = self.read(node.element)
        if old is not None:
            remove(old.element)
        if child is not None:
            append(self.place(node.element), child.element)


def append(
    parent: etree._Element, child: etree._Element, after: etree._Element | None = None
) -> etree._Element:
    """Put a child at the end, or after another, indented as its neighbours are."""
    before = after if after is not None else (parent[-1] if len(parent) else None)
    depth = sum(1 for _ in parent.iterancestors())
    _shift(child, depth + 1)
    if before is None:
        child.tail = "\n" + "  " * depth
        parent.text = (parent.text or "").rstrip() + "\n" + "  " * (depth + 1)
        parent.append(child)
        return child
    last = before.getnext() is None
    tail = before.tail
    parent.insert(parent.index(before) + 1, child)  # moves the tail's text nowhere
    child.tail = tail
    if last:
        before.tail = parent.text if not (parent.text or "").strip() else tail
    return child


def _shift(element: etree._Element, depth: int) -> None:
    """Indent what is inside an element that was written at the margin."""
    pad = "  " * depth
    for each in element.iter():
        inside = each is not element
        if each.text and "\n" in each.text and not each.text.strip():
            each.text += pad
        if inside and each.tail and "\n" in each.tail and not each.tail.strip():
            each.tail += pad


def remove(element: etree._Element, above: etree._Element | None = None) -> None:
    """Take an element out, with the white space that indented it and nothing else.

    With `above`, elements between the two that are left empty go as well.
    """
    parent = element.getparent()
    if parent is None or element is above:
        return
    before = element.getprevious()
    if element.getnext() is None:  # the last one's tail indents the closing tag
        if before is not None:
            before.tail = element.tail
        elif not (parent.text or "").strip():
            parent.text = None
    parent.remove(element)
    if above is not None and not (len(parent) or len(parent.attrib) or parent.text):
        remove(parent, above)


def number(text: str | None) -> int | None:
    """The whole number a text is, kept within 64 bits; None when it is none."""
    match = _NUMBER.fullmatch(text or "")
    if match is None:
        return None
    digits = match[2][:40]  # Python refuses to convert thousands of digits
    value = int(digits, 16 if digits[:2] == "0x" else 10)
    return max(INT64_MIN, min(INT64_MAX, -value if match[1] == "-" else value))


def size(text: str | None, unit: str) -> int | None:
    """Bytes of an amount in libvirt's units, kept within 64 bits; None when odd."""
    amount, word = number(text), unit.strip().lower()
    if amount is None:
        return None
    if word in ("b", "byte", "bytes"):
        factor = 1
    elif word[:1] and word[0] in _POWERS and word[1:] in ("", "b", "ib"):
        factor = (1000 if word[1:] == "b" else 1024) ** (_POWERS.index(word[0]) + 1)
    else:
        return None
    return max(INT64_MIN, min(INT64_MAX, amount * factor))
