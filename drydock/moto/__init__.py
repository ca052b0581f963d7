"""The only package that touches moto's internals."""
