"""The commands of `seawall`: what each reads from its arguments, does and prints."""
