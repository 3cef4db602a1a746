"""What a program or a notebook works with: a run and its regions as objects."""
