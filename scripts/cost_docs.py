"""Writes docs/costs.md: what dev, staging and prod would cost, from their inventories.

Needs the embedded cloud (``make up``) and no account: each environment's stacks are planned there
as one, from nothing, by playbooks/estimate.yml, in the name of that environment's own account id.
Nothing is applied. ``--only dev`` plans one and keeps what is known of the others.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

import boto3
import yaml

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from drydock.settings import Settings  # noqa: E402

DOCUMENT = PROJECT / "docs/costs.md"
ENVIRONMENTS = ("dev", "staging", "prod")
# prod does not plan without a certificate, and its name; which ones makes no difference in price.
PLACEHOLDERS = {
    "prod": {
        "certificate_arn": "arn:aws:acm:us-east-1:{account}:certificate/placeholder",
        "service_hostname": "www.drydock.example",
    }
}
# Rows of a section's table by the number of nodes (inventories: cost_fleet_sizes).
_NODES = re.compile(r"^\| (\w+ Solana nodes?) \| (\S+) \|", re.MULTILINE)
_FLEETS = ("no Solana node", "3 Solana nodes")
HEAD = """\
<!-- Written by scripts/cost_docs.py; change inventories or costs/, then run that. -->
# What the environments cost

US dollars a month of 730 hours at AWS's public on-demand prices of us-east-1, without free tiers,
savings plans, support and tax. Prices are in [costs/prices.yml](../costs/prices.yml), each with its
source and the month as of which it is known; they were written down from memory. What a plan cannot
know (gigabytes, requests) is assumed in [costs/usage.yml](../costs/usage.yml).

The figures come from a plan of all stacks with the environment's own inventory, made from nothing
against the embedded cloud. The same for what really stands: `playbooks/cost.yml -i
inventories/ENVIRONMENT`, with a page that shows every line. Solana nodes are billed while they run:
scale a fleet up and it costs more than all the rest, most of all by what nodes send to their peers.
That is an assumption (`node_out_gb`), so look at the first bill.

"""


class Failed(Exception):
    """An estimate failed; the text is what the playbook said."""


def accounts() -> dict[str, str]:
    """Environment → account id, as the inventories say."""
    file = PROJECT / "inventories/common/vars/environments.yml"
    found = yaml.safe_load(file.read_text())["environments"]
    return {name: one["account_id"] for name, one in found.items()}


def credentials(endpoint: str, account: str) -> dict[str, str]:
    """Variables with which a program is in that account of the embedded cloud.

    AssumeRole leads into the account of the role's ARN, whether there is such a role or not.
    """
    sts = boto3.client(
        "sts",
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - no secret: the embedded cloud takes any
    )
    made = sts.assume_role(
        RoleArn=f"arn:aws:iam::{account}:role/estimate", RoleSessionName="estimate"
    )["Credentials"]
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": made["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
        "AWS_SESSION_TOKEN": made["SessionToken"],
    }


def estimate(environment: str, account: str, settings: Settings) -> str:
    """Plans and prices an environment; returns its section.

    Raises:
        Failed: the playbook failed.
    """
    variables = {
        name: value.format(account=account)
        for name, value in PLACEHOLDERS.get(environment, {}).items()
    }
    words = ["ansible-playbook", "-i", f"inventories/{environment}", "playbooks/estimate.yml"]
    for name, value in variables.items():
        words += ["-e", f"{name}={value}"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        words,
        cwd=PROJECT,
        env=clean | credentials(f"http://127.0.0.1:{settings.port}", account),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Failed(f"{environment}: {done.stdout[-3000:]}{done.stderr[-1000:]}")
    return (settings.home / f"costs/costs-{environment}.md").read_text()


def sections(text: str) -> dict[str, str]:
    """Environment → its section of a document that this wrote."""
    parts = [part for part in text.split("\n## ")[1:] if not part.startswith("Side by side")]
    return {part.split(":", 1)[0]: f"## {part.rstrip()}\n" for part in parts}


def document(found: dict[str, str]) -> str:
    """The document, of the environments' sections."""
    rows = []
    for name, text in found.items():
        total = text.split("\n", 1)[0].split(": ", 1)[1].removesuffix(" a month")
        # Of a section from before there was such a table nothing is told.
        nodes = dict(_NODES.findall(text))
        others = [nodes.get(words, "?") for words in _FLEETS]
        rows.append(f"| {name} | {' | '.join([total, *others])} |")
    head = (
        f"| environment | as its inventory says | {' | '.join(f'with {one}' for one in _FLEETS)} |"
    )
    summary = "\n".join(["## Side by side", "", head, "|---|---:|---:|---:|", *rows])
    return f"{HEAD}{summary}\n\n" + "\n".join(found.values())


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=ENVIRONMENTS, help="plan one, keep the others' sections")
    only = parser.parse_args(words).only
    settings, known = Settings.from_environment(), accounts()
    found = sections(DOCUMENT.read_text()) if DOCUMENT.exists() else {}
    try:
        for name in [only] if only else ENVIRONMENTS:
            found[name] = estimate(name, known[name], settings)
            # One after the other, so that what is done is kept when a later one fails.
            there = {name: found[name] for name in ENVIRONMENTS if name in found}
            DOCUMENT.write_text(document(there))
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
