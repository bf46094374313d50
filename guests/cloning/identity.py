"""Who a clone is told to be, where it has cloud-init; else what somebody has to do."""

from dataclasses import replace

from guests.images.models import Image, Seed
from guests.images.seed import CloudInit
from guests.models import Guest
from kvmweb.operations.models import Operation

# A new machine-id in place of the original's, once; the guest then starts anew with it,
# for what asks for an address by DHCP has used the old one by then.
_RENEW = """#cloud-config
ssh_pwauth: unchanged
bootcmd:
  - [cloud-init-per, instance, kvmweb-renew, sh, -c, "rm -f /etc/machine-id \
/var/lib/dbus/machine-id; systemd-machine-id-setup || dbus-uuidgen --ensure=/etc/machine-id"]
power_state: {mode: reboot, message: This clone has its own machine-id now, timeout: 30}
"""

SAME = (
    "It has no cloud-init that is known of, so inside it is the original's twin: same "
    "host name, machine-id and ssh keys. Run virt-sysprep on its disks before it starts, "
    "or change them inside."
)
RENEWED = (
    "cloud-init gives it its own host name, machine-id and ssh host keys at its first "
    "start, and starts it once more."
)


def has_cloud_init(guest: Guest) -> bool:
    """Whether it was made with cloud-init, as far as we know."""
    if Seed.objects.filter(guest=guest.pk).exists():
        return True
    made = Operation.objects.filter(
        guest=guest.pk,
        kind__in=("guest.create", "guest.clone"),
        state=Operation.State.SUCCEEDED,
    ).first()
    if made is None:
        return False
    plan = made.params.get("plan", {})
    if plan.get("seed_pool") is not None:
        return True
    images = [each.get("image") for each in plan.get("volumes", [])]
    return Image.objects.filter(pk__in=filter(None, images), cloud_init=True).exists()


def told(name: str, wished: CloudInit | None) -> CloudInit:
    """What its cloud-init is told; what somebody wished comes first."""
    own = wished or CloudInit(hostname=name)
    own = replace(own, hostname=own.hostname or name)
    return own if own.user_data.strip() else replace(own, user_data=_RENEW)


def sentence(guest: Guest) -> str:
    """What becomes of a clone's identity inside, for the page."""
    return RENEWED if has_cloud_init(guest) else SAME
