"""The system packages, by what needs them. The one list of them."""

RUN = (
    "libvirt-daemon-system",
    "libvirt-clients",
    "qemu-system-x86",
    "qemu-utils",
    "dnsmasq-base",  # addresses on libvirt's own networks
    "iptables",  # their way out
    "osinfo-db",  # what operating systems need
    "ovmf",  # UEFI for guests
    "swtpm",  # their TPM
    "swtpm-tools",
    "openssh-client",  # hosts reached by ssh
    "redis-server",
    "iproute2",
    "util-linux",
    "libvirt-dev",  # from here on: to build libvirt's Python module
    "pkg-config",
    "gcc",
    "python3-dev",
    "python3-venv",
)
LAB = (*RUN, "openssh-server")
_ISO = ("grub-pc-bin", "grub-efi-amd64-bin", "mtools", "xorriso")  # a CD that boots
IMAGE = (  # to make the lab's Debian image
    *LAB,
    "mmdebstrap",
    "fdisk",
    "e2fsprogs",
    "dosfstools",
    "mtools",
    "grub-common",
    "grub-pc-bin",
    "grub-efi-amd64-bin",
)
TEST = (*IMAGE, *_ISO, "chromium-headless-shell", "postgresql", "slapd")

# What must be there where packages are not Debian's and cannot be asked for by name.
PROGRAMS = ("libvirtd", "virsh", "qemu-system-x86_64", "qemu-img", "redis-server")
# Services that their packages start at once; kvmweb runs its own, or only in tests.
NOT_STARTED = ("redis-server", "postgresql", "slapd")
