"""Pools and volumes: asked for, made, filled, kept from harm."""
