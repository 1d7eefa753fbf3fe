"""What things are: values and rules that hold with the power off."""
