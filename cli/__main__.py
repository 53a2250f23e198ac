"""`python -m sliceworks.cli` is the `sliceworks` command; the daemons of `dev` and `run` are started so."""

from __future__ import annotations

from sliceworks.cli.main import main

if __name__ == "__main__":
    main()
