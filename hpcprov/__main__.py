"""`python -m hpcprov VERB ...`: what the native `hpcprov` hands every verb but `exec` over to."""

from hpcprov.cli import entry

if __name__ == "__main__":
    entry()
