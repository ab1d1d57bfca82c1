"""`python -m cli` is the `rattil` command."""

from cli.start import main

if __name__ == "__main__":
    main()
