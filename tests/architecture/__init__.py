"""What holds for the source text itself: rooms, words that stay out, what is committed."""
