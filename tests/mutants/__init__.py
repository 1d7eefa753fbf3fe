"""What happens when a promise is taken out of the code: small edits, and the tests that notice."""
