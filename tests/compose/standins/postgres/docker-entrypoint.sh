#!/bin/bash
# What the official entrypoint does of an unprivileged user's first start: initdb with the password from a file, then the server.
set -euo pipefail
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  mkdir -p "$PGDATA"
  chmod 700 "$PGDATA"
  # shellcheck disable=SC2086 # several words on purpose
  initdb --username=postgres --pwfile=<(cat "$POSTGRES_PASSWORD_FILE"; echo) $POSTGRES_INITDB_ARGS
  printf '\nhost all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
fi
exec "$@"
