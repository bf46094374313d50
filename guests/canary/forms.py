"""The canary's form."""

from django import forms


class ScheduleForm(forms.Form):
    """Whether it flies each night, and when."""

    enabled = forms.BooleanField(label="Fly each night", required=False)
    hour = forms.IntegerField(label="At this hour (UTC)", min_value=0, max_value=23)
