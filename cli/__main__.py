"""`python -m cityid._cli` is the command too."""

from .main import main

main()
