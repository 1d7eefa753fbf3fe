"""`make load`: what Parley holds, how fast it takes over, what it costs while nobody speaks."""
