"""``python -m electionlab``: the command line."""

from electionlab.cli import main

if __name__ == "__main__":
    main()
