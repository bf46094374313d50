"""Telling live pages that what a project takes up has changed."""

from kvmweb.live import news


def changed(project: int) -> None:
    """Once this is committed: pages of the project ask again."""
    news.publish(f"project:{project}", "usage", {"project": project})
