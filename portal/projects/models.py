"""Rows: what a project may use. Who is in it stands in kvmweb.accounts.models."""

from django.db import models

from kvmweb.accounts.models import Project


class ProjectScope(models.Model):
    """What guests of a project may be made of. Of what is empty, all may be used.

    Ids and not rows: what is deleted must not leave an empty list behind, that allows
    everything.
    """

    project = models.OneToOneField(
        Project, on_delete=models.CASCADE, primary_key=True, related_name="scope"
    )
    networks = models.JSONField(default=list, blank=True)  # names
    images = models.JSONField(default=list, blank=True)  # ids
    flavors = models.JSONField(default=list, blank=True)  # ids
    host_tags = models.JSONField(default=list, blank=True)  # a host has one of them

    class Meta:
        app_label = "portal"
        ordering = ["project"]

    def __str__(self) -> str:
        return f"scope of {self.project}"
