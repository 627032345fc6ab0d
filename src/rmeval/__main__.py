"""Entry point of `python -m rmeval`."""

from rmeval.cli import main

if __name__ == "__main__":
    main()
