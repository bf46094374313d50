"""My machines: what somebody has, how to reach it, and how to give it back."""
