"""Other live servers on the same machine, model and speech. `setup.sh` installs them."""
