"""Bundles: an exported policy as a folder or a file, checked before anything of it runs."""
