"""Routers: how an envelope gets from one gateway to another."""
