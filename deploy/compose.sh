# Sourced by the scripts that run docker compose, in the folder of docker-compose.yml.

cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# compose ARGUMENT...: `docker compose`, or docker-compose where that is all there is; COMPOSE names another.
compose() {
  if [ -n "${COMPOSE:-}" ]; then
    $COMPOSE "$@"
  elif docker compose version >/dev/null 2>&1; then
    docker compose "$@"
  else
    docker-compose "$@"
  fi
}

# in_database COMMAND...: in a container of its own that has Postgres's programs and the database's passwords.
in_database() {
  compose run --rm -T migrate "$@"
}
