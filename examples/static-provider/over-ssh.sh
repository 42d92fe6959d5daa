#!/bin/sh
# Every hook of fleet.yaml: asks the host to do what the hook is named after. Standard input, which is the bootstrap blob
# for configure, goes to the host as it is. ssh ends with 255 when it cannot connect, and the provider then tries again.
set -eu

# What a shell over there is to take for one word.
word() { printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")"; }

exec ssh -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=15 "$SSH_USER@$BIGFLEET_ADDRESS" \
  "sudo /usr/local/sbin/bigfleet-host $BIGFLEET_HOOK $(word "$BIGFLEET_CLUSTER") $(word "$BIGFLEET_NODE_LABELS") $(word "$BIGFLEET_PROVIDER_ID") $BIGFLEET_GRACE_SECONDS"
