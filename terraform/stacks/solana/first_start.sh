#!/bin/sh
# Debian's image comes without the SSM agent, and through it alone a node is reached.
set -eu
test -x /usr/bin/amazon-ssm-agent && exit 0
package=$(mktemp --suffix .deb)
curl --fail --silent --show-error --location --retry 10 --retry-all-errors --output "$package" \
  "https://s3.${region}.amazonaws.com/amazon-ssm-${region}/latest/debian_amd64/amazon-ssm-agent.deb"
dpkg --install "$package"
rm "$package"
systemctl enable --now amazon-ssm-agent
