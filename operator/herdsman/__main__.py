"""`python -m herdsman` and the console script `herdsman`."""

import sys


def main() -> int:
    """Run the command line; the result is the exit code."""
    from herdsman.cli.main import run

    return run()


if __name__ == "__main__":
    sys.exit(main())
