"""`python -m mafnet`: what the rules call where the package is not installed."""

from mafnet.cli import main

main(prog_name="mafnet")
