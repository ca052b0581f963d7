"""Faults: things that break, injected at the part and never in an API answer.

``store`` remembers each, ``targets`` finds what a person named, one module per family of
kinds breaks and mends, ``drydock.controllers.faults`` ties them together in the gateway and
``command`` is the command line. Programs that run inside containers are in ``sidecars``.
"""
