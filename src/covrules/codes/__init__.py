"""Code sets and small fixed facts of the field: diagnosis codes, body sites, timed units, denial codes."""
