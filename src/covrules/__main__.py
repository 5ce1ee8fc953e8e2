"""`python -m covrules` is the command line."""

from covrules.cli import main

main()
