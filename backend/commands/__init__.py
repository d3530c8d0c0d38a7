"""The commands of the ``farebox`` program, one file each; ``backend.cli`` gathers them."""
