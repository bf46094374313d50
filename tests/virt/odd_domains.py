"""Odd domains: one for each thing that libvirt's schema allows and that surprises.

`accepted` are defined for real by the test driver; `foreign` are what other drivers
say, or what a host should never say, and are read only.
"""

HEAD = "<name>{name}</name><memory>65536</memory><os><type>hvm</type></os>"


def _domain(name: str, inside: str, *, head: str = HEAD, kind: str = "test") -> str:
    return f"<domain type='{kind}'>{head.format(name=name)}{inside}</domain>"


def _devices(name: str, *devices: str) -> str:
    return _domain(name, f"<devices>{''.join(devices)}</devices>")


def _disk(kind: str, source: str, **more: str) -> str:
    device, bus = more.get("device", "disk"), more.get("bus", "virtio")
    target, driver = more.get("target", "vda"), more.get("driver", "")
    return (
        f"<disk type='{kind}' device='{device}'>{driver}{source}"
        f"<target dev='{target}' bus='{bus}'/>{more.get('rest', '')}</disk>"
    )


_DISKS = {
    "file": _disk("file", "<source file='/a b/é&amp;&lt;.img'/>"),
    "file-none": _disk("file", "", device="cdrom", bus="ide", target="hda"),
    "file-twice": _disk("file", "<source file='/a'/>")
    + _disk("file", "<source file='/b'/>", target="vdb"),
    "block": _disk("block", "<source dev='/dev/mapper/x-y'/>"),
    "block-lun": _disk(
        "block", "<source dev='/dev/sdq'/>", device="lun", bus="scsi", target="sda"
    ),
    "dir": _disk(
        "dir", "<source dir='/var'/>", device="floppy", bus="fdc", target="fda"
    ),
    "volume": _disk("volume", "<source pool='p' volume='v.qcow2' mode='host'/>"),
    "nbd": _disk(
        "network", "<source protocol='nbd' name='x'><host name='h' port='1'/></source>"
    ),
    "nbd-unix": _disk(
        "network",
        "<source protocol='nbd'><host transport='unix' socket='/s'/></source>",
    ),
    "rbd": _disk(
        "network",
        "<source protocol='rbd' name='p/i'><host name='a'/><host name='b'/>"
        "<snapshot name='s'/><config file='/c'/></source>",
        rest="<auth username='u'><secret type='ceph' usage='x'/></auth>",
    ),
    "iscsi": _disk("network", "<source protocol='iscsi' name='iqn.x:y/1'/>"),
    "gluster": _disk(
        "network",
        "<source protocol='gluster' name='v/i'><host name='::1' port='24007'/></source>",
    ),
    "https": _disk(
        "network",
        "<source protocol='https' name='i.iso' query='a=b&amp;c'><host name='h'/>"
        "<ssl verify='no'/><cookies><cookie name='c'>1</cookie></cookies></source>",
        device="cdrom",
        bus="sata",
        target="sdz",
    ),
    "sheepdog": _disk("network", "<source protocol='sheepdog' name='i'/>"),
    "ssh": _disk(
        "network",
        "<source protocol='ssh' name='/i'><host name='h'/><knownHosts path='/k'/></source>",
    ),
    "nvme": _disk(
        "nvme",
        "<source type='pci' managed='yes' namespace='1'>"
        "<address domain='0' bus='1' slot='0' function='0'/></source>",
    ),
    "vhostuser": _disk("vhostuser", "<source type='unix' path='/s.sock'/>"),
    "backing-chain": _disk(
        "file",
        "<source file='/top'/><backingStore type='file'><format type='qcow2'/>"
        "<source file='/middle'/><backingStore type='block'><format type='raw'/>"
        "<source dev='/dev/base'/><backingStore/></backingStore></backingStore>",
        driver="<driver name='qemu' type='qcow2' cache='none' discard='unmap'/>",
    ),
    "mirror": _disk(
        "file",
        "<source file='/a'/><mirror type='file' job='copy' ready='yes'>"
        "<format type='raw'/><source file='/b'/></mirror>",
    ),
    "encrypted": _disk(
        "file",
        "<source file='/a'><encryption format='luks'><secret type='passphrase' "
        "uuid='6695eb01-f6a4-8304-79aa-97f2502e193f'/></encryption></source>",
    ),
    "shared-readonly": _disk(
        "file", "<source file='/a'/>", rest="<readonly/><shareable/><transient/>"
    ),
    "tuned": _disk(
        "file",
        "<source file='/a' startupPolicy='optional'/>",
        rest="<iotune><total_bytes_sec>18446744073709551</total_bytes_sec></iotune>"
        "<serial>a b</serial><wwn>5000c50015ea71aa</wwn><boot order='1'/>"
        "<geometry cyls='16383' heads='16' secs='63'/><blockio logical_block_size='512'/>",
    ),
    "many": "".join(
        _disk("file", f"<source file='/{n}'/>", target=f"vd{chr(97 + n)}")
        for n in range(25)
    ),
}
_NICS = {
    "none": "",
    "user": "<interface type='user'/>",
    "network": "<interface type='network'><source network='a b'/></interface>",
    "portgroup": "<interface type='network'><source network='n' portgroup='p'/>"
    "<vlan trunk='yes'><tag id='42' nativeMode='untagged'/><tag id='47'/></vlan>"
    "<virtualport type='openvswitch'/></interface>",
    "bridge": "<interface type='bridge'><source bridge='br0'/><model type='e1000e'/>"
    "<link state='down'/><mtu size='1500'/></interface>",
    "direct": "<interface type='direct'><source dev='eth0' mode='passthrough'/>"
    "</interface>",
    "ethernet": "<interface type='ethernet'><target dev='tap7' managed='no'/>"
    "<ip address='192.0.2.1' prefix='24'/></interface>",
    "hostdev": "<interface type='hostdev' managed='yes'><source><address type='pci' "
    "domain='0' bus='0' slot='7' function='0'/></source></interface>",
    "vhostuser": "<interface type='vhostuser'><source type='unix' path='/v' "
    "mode='client'/><model type='virtio'/></interface>",
    "internal": "<interface type='internal'><source name='x'/></interface>",
    "mcast": "<interface type='mcast'><source address='230.0.0.1' port='5558'/>"
    "</interface>",
    "server": "<interface type='server'><source address='192.0.2.1' port='5558'/>"
    "</interface>",
    "client": "<interface type='client'><source address='192.0.2.1' port='5558'/>"
    "</interface>",
    "udp": "<interface type='udp'><source address='127.0.0.1' port='1'>"
    "<local address='127.0.0.1' port='2'/></source></interface>",
    "vdpa": "<interface type='vdpa'><source dev='/dev/vhost-vdpa-0'/></interface>",
    "same-mac-twice": "<interface type='user'><mac address='52:54:00:00:00:01'/>"
    "</interface>" * 2,
    "filtered": "<interface type='network'><source network='n'/><filterref filter='f'>"
    "<parameter name='IP' value='192.0.2.9'/></filterref><bandwidth>"
    "<inbound average='1'/></bandwidth></interface>",
}
_SCREENS = {
    "vnc-auto": "<graphics type='vnc' port='-1' autoport='yes'/>",
    "vnc-socket": "<graphics type='vnc' socket='/run/v.sock'/>",
    "vnc-listens": "<graphics type='vnc' port='5999'><listen type='address' "
    "address='::'/></graphics>",
    "vnc-network": "<graphics type='vnc'><listen type='network' network='n'/></graphics>",
    "vnc-silent": "<graphics type='vnc'><listen type='none'/></graphics>",
    "spice": "<graphics type='spice' port='5900' tlsPort='5901' passwd='secret'>"
    "<channel name='main' mode='secure'/><image compression='off'/></graphics>",
    "spice-tls": "<graphics type='spice' tlsPort='5901'/>",
    "sdl": "<graphics type='sdl' display=':0.0' xauth='/x'/>",
    "rdp": "<graphics type='rdp' autoport='yes' multiUser='yes'/>",
    "desktop": "<graphics type='desktop' display=':0'/>",
    "headless": "<graphics type='egl-headless'/><graphics type='vnc'/>",
    "dbus": "<graphics type='dbus' p2p='yes'/>",
}
_CONSOLES = {
    "pty": "<console type='pty'/>",
    "several": "<console type='pty'><target type='serial'/></console>"
    + "<console type='pty'><target type='virtio'/></console>" * 3,
    "tcp": "<serial type='tcp'><source mode='bind' host='::' service='2445'/>"
    "<protocol type='telnet'/></serial>",
    "udp": "<serial type='udp'><source mode='bind' host='0.0.0.0' service='1'/>"
    "<source mode='connect' host='0.0.0.0' service='2'/></serial>",
    "unix": "<serial type='unix'><source mode='bind' path='/s'/></serial>",
    "file": "<serial type='file'><source path='/f' append='on'/></serial>",
    "dev": "<serial type='dev'><source path='/dev/ttyS0'/></serial>",
    "pipe": "<serial type='pipe'><source path='/p'/></serial>",
    "null": "<serial type='null'/>",
    "stdio": "<serial type='stdio'/>",
    "vc": "<serial type='vc'/>",
    "logged": "<serial type='pty'><log file='/l' append='off'/></serial>",
    "channels": "<channel type='unix'><target type='virtio' "
    "name='org.qemu.guest_agent.0'/></channel><channel type='spicevmc'>"
    "<target type='virtio'/></channel>",
    "parallel": "<parallel type='pty'/>",
}
_DEVICES = {
    **{f"disk-{name}": xml for name, xml in _DISKS.items()},
    **{f"nic-{name}": xml for name, xml in _NICS.items()},
    **{f"screen-{name}": xml for name, xml in _SCREENS.items()},
    **{f"console-{name}": xml for name, xml in _CONSOLES.items()},
    "filesystem": "<filesystem type='mount' accessmode='passthrough'>"
    "<source dir='/export'/><target dir='tag'/></filesystem>",
    "hostdev-usb": "<hostdev mode='subsystem' type='usb'><source>"
    "<vendor id='0x1234'/><product id='0xbeef'/></source></hostdev>",
    "hostdev-mdev": "<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source>"
    "<address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/></source></hostdev>",
    "redirdev": "<controller type='usb' model='ich9-ehci1'/>"
    "<redirdev bus='usb' type='spicevmc'/>",
    "smartcard": "<smartcard mode='host'/>",
    "tpm": "<tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm>",
    "watchdog": "<watchdog model='i6300esb' action='poweroff'/>",
    "panic": "<panic model='isa'/>",
    "shmem": "<shmem name='s'><model type='ivshmem-plain'/><size unit='M'>4</size>"
    "</shmem>",
    "rng": "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
    "balloon-none": "<memballoon model='none'/>",
    "videos": "<video><model type='qxl' vram='65536' heads='4' primary='yes'/></video>"
    "<video><model type='qxl'/></video>",
    "sound": "<sound model='ich9'><codec type='micro'/></sound>",
    "iommu": "<iommu model='intel'/>",
    "vsock": "<vsock model='virtio'><cid auto='yes'/></vsock>",
    "lease": "<lease><lockspace>a</lockspace><key>b</key><target path='/l'/></lease>",
}
_WHOLE = {
    "units": "<memory unit='GB'>1</memory><currentMemory unit='MiB'>64</currentMemory>",
    "bytes": "<memory unit='b'>67108864</memory>",
    "huge": "<memory unit='TiB'>4000</memory><vcpu>4096</vcpu>",
    "vcpus": "<memory>1024</memory><vcpu placement='static' cpuset='0-1,^1' "
    "current='1'>4</vcpu><vcpus><vcpu id='0' enabled='yes' hotpluggable='no'/>"
    "<vcpu id='1' enabled='no' hotpluggable='yes'/><vcpu id='2' enabled='no' "
    "hotpluggable='yes'/><vcpu id='3' enabled='no' hotpluggable='yes'/></vcpus>",
    "numa": "<memory unit='MiB'>128</memory><vcpu>2</vcpu><cpu><numa>"
    "<cell id='0' cpus='0' memory='64' unit='MiB'/>"
    "<cell id='1' cpus='1' memory='64' unit='MiB'/></numa></cpu>",
    "slots": "<maxMemory slots='16' unit='GiB'>4</maxMemory><memory unit='GiB'>1</memory>"
    "<vcpu>1</vcpu><cpu><numa><cell id='0' cpus='0' memory='1' unit='GiB'/></numa></cpu>"
    "<devices><memory model='dimm'><target><size unit='MiB'>512</size><node>0</node>"
    "</target></memory></devices>",
    "metadata": "<memory>1024</memory><metadata><a:b xmlns:a='urn:other'>é<c/></a:b>"
    "<kvmweb:guest xmlns:kvmweb='urn:kvmweb:1' owner='x'><kvmweb:tag>&lt;b&gt;"
    "</kvmweb:tag></kvmweb:guest></metadata>",
    "osinfo": "<memory>1024</memory><metadata><l:libosinfo "
    "xmlns:l='http://libosinfo.org/xmlns/libvirt/domain/1.0'>"
    "<l:os id='http://debian.org/debian/12'/></l:libosinfo></metadata>",
    "title": "<title>&lt;script&gt;alert(1)&lt;/script&gt;</title>"
    "<description>two\nlines</description><memory>1024</memory>",
    "sysinfo": "<memory>1024</memory><sysinfo type='smbios'><bios>"
    "<entry name='vendor'>x</entry></bios></sysinfo>",
    "security": "<memory>1024</memory><launchSecurity type='sev'><policy>0x0001</policy>"
    "<cbitpos>47</cbitpos><reducedPhysBits>1</reducedPhysBits></launchSecurity>",
    "tuned": "<memory>1024</memory><cputune><shares>2048</shares><emulatorpin "
    "cpuset='0'/></cputune><memtune><hard_limit unit='G'>1</hard_limit></memtune>"
    "<memoryBacking><hugepages/><locked/></memoryBacking>",
    "seclabel": "<memory>1024</memory><seclabel type='none' model='selinux'/>",
    "genid": "<memory>1024</memory><genid/>",
    "iothreads": "<memory>1024</memory><iothreads>4</iothreads><iothreadids>"
    "<iothread id='2'/></iothreadids>",
    "clock": "<memory>1024</memory><clock offset='variable' adjustment='123456' "
    "basis='utc'><timer name='rtc' track='wall'/></clock>",
    "events": "<memory>1024</memory><on_crash>coredump-restart</on_crash>"
    "<on_poweroff>preserve</on_poweroff>",
    "controllers": "<memory>1024</memory><devices><controller type='scsi' index='3' "
    "model='virtio-scsi'/><controller type='usb' model='none'/></devices>",
}
_OS = {
    "efi": "<os firmware='efi'><type machine='pc-q35-7.2'>hvm</type></os>",
    "efi-secure": "<os firmware='efi'><firmware><feature enabled='yes' "
    "name='secure-boot'/></firmware><type>hvm</type><loader secure='yes'/></os>",
    "pflash": "<os><type>hvm</type><loader type='pflash' readonly='yes'>/f</loader>"
    "<nvram template='/t'>/n</nvram></os>",
    "direct": "<os><type>hvm</type><kernel>/k</kernel><initrd>/i</initrd>"
    "<cmdline>console=ttyS0 &quot;x&quot;</cmdline><boot dev='cdrom'/>"
    "<bootmenu enable='yes' timeout='3000'/><smbios mode='host'/></os>",
    "paravirtual": "<os><type>xen</type><kernel>/k</kernel></os>",
}
_NAMES = {
    "spaces": " a  b ",
    "markup": "&lt;img src=x onerror=alert(1)&gt;",
    "umlaut": "é ü 漢字 \U0001f4a9",
    "dashes": "-rf --no-preserve-root",
    "quotes": "&quot;;'`$(x)",
    "long": "n" * 3000,
    "right-to-left": "\u202eabc",
}

_NAME_AND_OS = "<name>{name}</name><os><type>hvm</type></os>"
accepted: dict[str, str] = {
    **{name: _devices(name, xml) for name, xml in _DEVICES.items()},
    **{
        f"whole-{name}": _domain(f"whole-{name}", xml, head=_NAME_AND_OS)
        for name, xml in _WHOLE.items()
    },
    **{
        f"os-{name}": _domain(
            f"os-{name}", xml, head="<name>{name}</name><memory>1024</memory>"
        )
        for name, xml in _OS.items()
    },
    **{f"name-{name}": _domain(given, "") for name, given in _NAMES.items()},
}
foreign: dict[str, str] = {
    "lxc": "<domain type='lxc'><name>c</name><memory>1</memory><os><type>exe</type>"
    "<init>/sbin/init</init></os><devices><console type='pty'/></devices></domain>",
    "xen": "<domain type='xen' id='3'><name>x</name><bootloader>/b</bootloader>"
    "<os><type>linux</type></os></domain>",
    "bhyve": "<domain type='bhyve' xmlns:bhyve='http://libvirt.org/schemas/domain/"
    "bhyve/1.0'><name>b</name><bhyve:commandline><bhyve:arg value='-s'/>"
    "</bhyve:commandline></domain>",
    "qemu-commandline": "<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/"
    "domain/qemu/1.0'><name>q</name><qemu:commandline><qemu:arg value='-x'/>"
    "</qemu:commandline></domain>",
    "nothing": "<domain/>",
    "no-memory": "<domain type='test'><name>x</name></domain>",
    "minus": "<domain><vcpu current='-3'>-1</vcpu><memory>-5</memory></domain>",
    "beyond": f"<domain><vcpu>{'9' * 5000}</vcpu><memory unit='E'>{'9' * 30}</memory>"
    "</domain>",
    "no-numbers": "<domain><vcpu>many</vcpu><memory unit='light-years'>4</memory>"
    "<devices><graphics type='vnc' port='x'/><graphics port='99999999'/></devices>"
    "</domain>",
    "same-target": "<domain><devices>" + _DISKS["file"] * 3 + "</devices></domain>",
    "targetless": "<domain><devices><disk/><disk/><interface/><graphics/><console/>"
    "<channel/></devices></domain>",
    "comments": "<domain><!-- a --><name>a<!-- b -->b</name><?pi x?><devices><!-- c -->"
    "</devices></domain>",
    "namespaced": "<domain xmlns:x='urn:x'><x:name>no</x:name><name>yes</name></domain>",
}
broken: dict[str, str] = {
    "empty": "",
    "not-xml": "libvirt says hello",
    "cut": accepted["disk-file"][:200],
    "another": "<network><name>n</name></network>",
    "control": "<domain><name>a\x01b</name></domain>",
    "surrogate": "<domain><name>\udcff</name></domain>",
    "entities": "<!DOCTYPE d [<!ENTITY a 'b'><!ENTITY c '&a;&a;'>]>"
    "<domain><name>&c;</name></domain>",
    "outside": "<!DOCTYPE d [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>"
    "<domain><name>&a;</name></domain>",
    "deep": "<domain>" + "<a>" * 5000 + "</a>" * 5000 + "</domain>",
    "giant": f"<domain><title>{'x' * 5_000_000}</title></domain>",
}
