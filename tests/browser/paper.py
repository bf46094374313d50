"""Many guests on paper: a document for libvirt's test driver."""

from uuid import NAMESPACE_DNS, uuid5
from xml.sax.saxutils import escape  # noqa: TID251  # text only, nothing is parsed

HOSTILE = "<img src=x onerror=alert(1)>"
NAMES = [
    *(f"api-{number:02d}" for number in range(40)),
    *(f"build-{number}" for number in range(15)),
    "a b",
    "é-umlaut",
    "postgres-replica-with-a-rather-long-name-that-does-not-fit-anywhere",
    HOSTILE,
]
RUNNING, PAUSED, OFF = 1, 3, 5  # as the test driver says it
_DOMAIN = """<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
<name>{name}</name><uuid>{uuid}</uuid><memory>1048576</memory><vcpu>2</vcpu>
<title>{name}</title><description>{name}</description><os><type>hvm</type></os><devices>
<disk type='file' device='disk'><source file='/images/{uuid}.img'/>
<target dev='vda' bus='virtio'/></disk>
<interface type='network'><source network='default'/></interface></devices>
<test:runstate>{state}</test:runstate>{snapshots}</domain>"""
SNAPSHOT = "before-it"  # of the hostile guest; another one is called as it is
_SNAPSHOT = """<test:domainsnapshot><name>{name}</name><description>{name}</description>
<state>running</state><creationTime>1700000000</creationTime><memory snapshot='internal'/>
<domain type='test'><name>{guest}</name><uuid>{uuid}</uuid><memory>1048576</memory>
<vcpu>2</vcpu><os><type>hvm</type></os></domain><active>{active}</active>
</test:domainsnapshot>"""
_REST = """<cpu><mhz>2600</mhz><model>x86-64</model><active>16</active><nodes>2</nodes>
<sockets>2</sockets><cores>4</cores><threads>1</threads></cpu><memory>67108864</memory>
<network><name>default</name><bridge name='virbr0'/><forward/>
<ip address='192.168.122.1' netmask='255.255.255.0'><dhcp>
<range start='192.168.122.2' end='192.168.122.250'/></dhcp></ip></network>
<pool type='dir'><name>default</name><target><path>/default</path></target>
<volume type='file'><name>{name}</name><capacity>10737418240</capacity>
<allocation>1073741824</allocation>
<target><path>{disk}</path><format type='qcow2'/></target></volume>
<volume type='file'><name>unused.iso</name><capacity>734003200</capacity>
<target><path>/default/unused.iso</path><format type='raw'/></target></volume></pool>"""


def many_guests() -> str:
    """The whole document."""
    states = (RUNNING, RUNNING, OFF, RUNNING, PAUSED)
    domains = [
        _DOMAIN.format(
            name=escape(name),
            uuid=uuid5(NAMESPACE_DNS, name),
            state=states[place % len(states)],
            snapshots=_snapshots(name) if name == HOSTILE else "",
        )
        for place, name in enumerate(NAMES)
    ]
    disk = f"/images/{uuid5(NAMESPACE_DNS, HOSTILE)}.img"
    rest = _REST.format(name=escape(HOSTILE), disk=disk)
    return f"<node>{rest}{''.join(domains)}</node>"


def _snapshots(guest: str) -> str:
    """Two, one of them with an odd name."""
    return "".join(
        _SNAPSHOT.format(
            name=escape(name),
            guest=escape(guest),
            uuid=uuid5(NAMESPACE_DNS, guest),
            active=int(name == SNAPSHOT),
        )
        for name in (SNAPSHOT, "<img src=x onerror=alert(2)>")
    )
