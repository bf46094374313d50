"""libvirt's documents as declared classes; what none declares stays as it is."""
