"""`python -m telic`: the telic command."""

from telic.interfaces.cli.__main__ import main

if __name__ == "__main__":
    main()
