"""`python -m entropax`: the command line."""

from entropax.cli import main

if __name__ == "__main__":
    main()
