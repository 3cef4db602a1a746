"""``python -m polyrank``: the command line."""

from polyrank_cli.main import main

if __name__ == "__main__":
    main()
