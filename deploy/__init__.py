"""Set-up, supervision, the lab, the demo guest. All but the lab: standard library."""
