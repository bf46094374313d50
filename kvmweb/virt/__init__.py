"""The only door to libvirt. No Django inside; frozen typed values with units come out."""
