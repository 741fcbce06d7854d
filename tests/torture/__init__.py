"""Kills, faults and load against real processes: ``make torture``."""
