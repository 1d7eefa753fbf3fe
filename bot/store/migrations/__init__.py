"""The steps from one schema to the next, run by the program itself, never by hand.

Expand first, contract one release later: a step adds what the new code needs and takes nothing
away that the code before it reads. A new step needs a file in `versions/` and the numbers at the
top of `tables.py`.
"""
