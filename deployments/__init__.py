"""How it is run: settings, the one clock, the composition root, processes and the command line."""
