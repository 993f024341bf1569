# Sourced by the scripts that talk to Postgres.

# database_psql URL ARGUMENT...: psql on that database, its password kept out of the process list.
database_psql() {
  local url=$1 password='' bin
  shift
  if [[ $url =~ ^(postgres(ql)?://[^:@/]+):([^@/]*)@(.*)$ ]]; then
    password=${BASH_REMATCH[3]}
    url="${BASH_REMATCH[1]}@${BASH_REMATCH[4]}"
    printf -v password '%b' "${password//%/\\x}"
  fi
  bin=$(command -v psql || compgen -G '/usr/lib/postgresql/*/bin/psql' | tail -n 1) || {
    echo "psql is not installed (Debian's package postgresql-client)" >&2
    return 1
  }
  PGPASSWORD=${password:-${PGPASSWORD:-}} PGCONNECT_TIMEOUT=10 \
    "$bin" --no-psqlrc --quiet --set ON_ERROR_STOP=1 --dbname "$url" "$@"
}
