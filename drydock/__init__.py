"""The embedded cloud: moto's AWS API in front, real parts in containers behind it."""
