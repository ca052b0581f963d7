"""What every layer's tests share."""

import os
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

# Whoever's account the shell points to, a test has no business there; and looking for an
# instance's role would send packets off this machine.
for name in list(os.environ):
    if name.startswith("AWS_") and name != "AWS_CA_BUNDLE":
        del os.environ[name]
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
