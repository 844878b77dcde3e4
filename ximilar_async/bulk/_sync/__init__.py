"""Bring a collection in line with a catalog: difference, plan, execution, state."""
