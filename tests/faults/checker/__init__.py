"""The judge of fault runs: reads only logs, knows nothing of Parley's code, and proves I1 to I10.

`python -m tests.faults.checker LOGDIR` prints each violation with the lines that prove it.
"""
