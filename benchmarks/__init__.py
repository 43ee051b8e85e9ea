"""The code of `make bench` and `make bench-gpu`; README.md lists the commands."""
