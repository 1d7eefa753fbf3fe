"""What Parley promises, sentence by sentence; the folders mirror the source."""
