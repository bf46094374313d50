"""Folders of guests: tags with slashes, limits on them, and views that people keep."""
