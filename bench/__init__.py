"""What is claimed about speed, measured from outside on the running program."""
