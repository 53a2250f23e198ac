"""The parent of all code that comes from assets; there is no file below it, see `isolation.py`.

It is a real package so that a process which Python starts anew (`multiprocessing` with `spawn`) finds its
way to an asset's code when it unpickles something of it.
"""

from sliceworks.operations.isolation import load_again

load_again()
