"""What of a domain's document lasts: the same text for the same definition.

libvirt fills a running document with ports, labels and names of the day, and we keep a
copy of owner and tags in it; none of that is a new version of the guest.
"""

from lxml import etree

from kvmweb.errors import Invalid
from kvmweb.virt.xml.document import parse
from kvmweb.virt.xml.domain import OURS

_ELEMENTS = (
    "seclabel[@type='dynamic']",
    "devices/*/seclabel",
    "devices/disk/backingStore",
    "devices/*/source[@mode='bind'][@path]",
    "devices/*[@type='pty']/source",
    f"metadata/{{{OURS}}}guest",
)
_ATTRIBUTES = (
    (".", "id"),
    ("devices/console", "tty"),
    ("devices/disk/source", "index"),
    ("devices/interface/source", "portid"),
    ("devices/channel/target", "state"),
    ("devices/graphics[@autoport='yes']", "port"),
    ("devices/graphics[@autoport='yes']", "tlsPort"),
    ("devices/graphics[@autoport='yes']", "websocket"),
)
_GIVEN = ("vnet", "vif", "macvtap", "tap")  # names that libvirt gave a tap device


def lasting(xml: str) -> str:
    """The document without what changes from one start to the next; not to be defined.

    A text that is no document is given back as it is.
    """
    try:
        root = parse(xml)
    except Invalid:
        return xml
    _drop_elements(root)
    for path, name in _ATTRIBUTES:
        for element in root.findall(path):
            if name in element.attrib:
                del element.attrib[name]
    for target in root.findall("devices/interface/target"):
        if (target.get("dev") or "").startswith(_GIVEN):
            del target.attrib["dev"]
    return _plain(root)


def _drop_elements(root: etree._Element) -> None:
    passing = [element for path in _ELEMENTS for element in root.findall(path)]
    for alias in root.findall("devices/*/alias"):
        if not (alias.get("name") or "").startswith("ua-"):  # those people gave
            passing.append(alias)
    for element in passing:
        parent = element.getparent()
        if parent is not None:
            parent.remove(element)


def _plain(root: etree._Element) -> str:
    """As text, whatever white space and order of attributes it came with."""
    for element in root.iter():
        if len(element) and not (element.text or "").strip():
            element.text = None
        if not (element.tail or "").strip():
            element.tail = None
    metadata = root.find("metadata")
    if metadata is not None and not len(metadata):
        root.remove(metadata)
    return etree.tostring(root, method="c14n").decode()
