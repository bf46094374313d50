"""The panel for plain libvirt/KVM hosts: the building; it knows no hosts and no guests."""
