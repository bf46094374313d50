"""Sizes of machines that people choose from, and what each is for."""
