"""What in a domain's document is beyond ordinary fields: near to being root on its host.

A document can name any program as the emulator, any script, any file or directory of the
host. Each such thing is named here, so that a change of it can be seen and asked about.
"""

import posixpath
from collections.abc import Collection, Iterator
from typing import Any

from lxml import etree

from kvmweb.virt.xml.document import parse

_DEVICES = (
    *("emulator", "disk", "controller", "interface", "graphics", "video", "audio"),
    *("serial", "parallel", "console", "channel", "input", "sound", "rng", "tpm"),
    *("watchdog", "memballoon", "memory", "hub", "panic", "vsock", "iommu"),
    *("redirdev", "redirfilter", "smartcard", "hostdev", "filesystem"),
)
_PORTS = "serial", "parallel", "console", "channel", "redirdev", "smartcard"
_UNLIKELY = " and ".join(
    f"not(@type='{kind}')"
    for kind in ("pty", "null", "vc", "spicevmc", "spiceport", "qemu-vdagent", "unix")
)
_KINDS = (  # XPath of what is never ordinary, and what it is called
    ("devices/hostdev", "the host device"),
    ("devices/filesystem", "the directory of the host"),
    ("devices/disk[@type!='file' and @type!='block' and @type!='volume']", "the disk"),
    ("devices/disk[@device='lun' or @rawio='yes']", "the raw device"),
    (
        "devices/interface[@type!='network' and @type!='bridge' and @type!='user']",
        "the network card",
    ),
    *(
        (f"devices/{port}[@type and {_UNLIKELY}]", f"the {port} port")
        for port in _PORTS
    ),
    ("devices/rng/backend[@model='egd']", "the source of random numbers"),
    ("devices/tpm[backend/@type!='emulator']", "the TPM"),
    ("devices/input[@type='passthrough' or @type='evdev']", "the input device"),
    (
        "devices/*[" + " and ".join(f"not(self::{it})" for it in _DEVICES) + "]",
        "the device",
    ),
    ("devices//script", "the script"),
    ("os/init | bootloader", "the program"),
    ("sysinfo[@type='fwcfg']", "the firmware's configuration"),
    ("launchSecurity", "the launch security"),
    (
        "seclabel[@type='none' or @type='static'] | devices//seclabel",
        "the security label",
    ),
    ("devices//reservations | devices//encryption", "the disk's"),
    (
        "*[namespace-uri() and not(contains(namespace-uri(), 'urn:kvmweb:'))]",
        "the element",
    ),
)
_WORDS = {"name", "title", "description", "metadata", "cmdline", "partition"}
_LIBVIRTS_OWN = ("/var/lib/libvirt/qemu", "/run/libvirt", "/var/run/libvirt")
_FIRMWARE = ("/usr/share", "/usr/lib")
_PROGRAMS = ("/usr/bin", "/usr/libexec", "/usr/lib/qemu", "/usr/local/bin")
_ORDINARY = {  # by the element that names it: where a path may lie
    "emulator": _PROGRAMS,
    "loader": _FIRMWARE,
    "nvram": (*_FIRMWARE, *_LIBVIRTS_OWN),
    "backend": ("/dev",),
    "graphics": _LIBVIRTS_OWN,
    "listen": _LIBVIRTS_OWN,
}
_RANDOM = {"/dev/urandom", "/dev/random", "/dev/hwrng"}


def named(xml: str, pools: Collection[str] = ()) -> set[str]:
    """Everything in the document that needs more than editing it, each by a short name.

    Files in one of these `pools` (their directories) are ordinary. Raises Invalid for
    what is no XML.
    """
    root = parse(xml)
    return set(_kinds(root)) | set(_paths(root, pools))


def _kinds(root: etree._Element) -> Iterator[str]:
    for path, word in _KINDS:
        # The stubs' union for XPath answers fits no caller.
        found: Any = root.xpath(path)
        for element in found:
            yield f"{word} {_told(element)}"


def _paths(root: etree._Element, pools: Collection[str]) -> Iterator[str]:
    for element in root.iter(etree.Element):
        tag = str(element.tag)
        if tag in _WORDS or any(each.tag in _WORDS for each in element.iterancestors()):
            continue
        for text in (*element.attrib.values(), (element.text or "").strip()):
            path = str(text)
            if path.startswith("/") and not _is_ordinary(element, path, pools):
                yield f"{path} as its {_place(element)}"


def _is_ordinary(element: etree._Element, path: str, pools: Collection[str]) -> bool:
    tag, parent = str(element.tag), element.getparent()
    if tag == "backend":
        return path in _RANDOM
    if tag == "emulator" and "qemu" not in posixpath.basename(path):
        return False
    folders = [*_ORDINARY.get(tag, ())]
    if tag == "source" and parent is not None:
        folders += pools if parent.tag in {"disk", "backingStore", "mirror"} else ()
        folders += _LIBVIRTS_OWN if parent.get("type") == "unix" else ()
        pty = parent.tag in _PORTS and parent.get("type") == "pty"
        folders += ["/dev/pts"] if pty else []
    plain = posixpath.normpath(path)
    return any(plain.startswith(folder.rstrip("/") + "/") for folder in folders)


def _place(element: etree._Element) -> str:
    parent = element.getparent()
    tag = etree.QName(element).localname
    if parent is None or tag != "source":
        return tag
    return str(parent.tag)


def _told(element: etree._Element) -> str:
    """What an element is, in a few words: its own, its source's and its text."""
    inside = [element, *element.iterfind("source"), *element.iterfind("source/*")]
    words = [etree.QName(element).localname]
    for each in inside:
        words += [f"{name!s}={value!s}" for name, value in each.attrib.items()]
    for each in element.iterchildren(etree.Element):
        if "{" in str(each.tag):
            words += [each.get("name") or "", each.get("value") or ""]
    words.append((element.text or "").strip())
    return " ".join(" ".join(words).split())[:200]
