"""`python -m histoscribe`."""

from histoscribe.cli import main

main()
