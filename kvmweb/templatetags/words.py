"""How numbers and times read on pages."""

from django import template

register = template.Library()
