"""What the list page of operations is narrowed to, from its address."""

from django import forms

from kvmweb.operations.models import Operation
from kvmweb.operations.queries import Filters

_STATES = [(state, state) for state in ("active", *Operation.State.values)]


class FilterForm(forms.Form):
    """Filters in the query string; what makes no sense there counts as not given."""

    state = forms.ChoiceField(choices=_STATES, required=False)
    kind = forms.CharField(max_length=64, required=False)
    guest = forms.UUIDField(required=False)
    host = forms.IntegerField(min_value=0, max_value=2**63 - 1, required=False)
    search = forms.CharField(max_length=200, required=False)

    def filters(self) -> Filters:
        """The values that make sense."""
        self.is_valid()
        given = {name: value for name, value in self.cleaned_data.items() if value}
        return Filters(**given)
