"""``make bench BENCH=import``: what is measured says :mod:`bench.organisation_import`."""

from bench.organisation_import import main

if __name__ == "__main__":
    main()
