"""`python -m authapp` is `authapp`."""

from authapp.cli import main

if __name__ == "__main__":
    main()
