"""Engines: each decides every rule of a ruleset for one case; none imports another."""
