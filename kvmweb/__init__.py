"""The panel for plain libvirt/KVM hosts: the building, which knows neither hosts nor guests."""
