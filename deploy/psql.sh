# Sourced by the scripts that talk to Postgres.

# database_owner_url: what the environment says of it.
database_owner_url() {
  if [ -n "${WA_DATABASE_URL_FILE:-}" ]; then
    WA_DATABASE_URL=$(<"$WA_DATABASE_URL_FILE")
  fi
  echo "${WA_DATABASE_URL:?is not set}"
}

# database_program PROGRAM URL ARGUMENT...: one of Postgres's programs on that database, its password kept out of the process list.
database_program() {
  local program=$1 url=$2 password='' bin
  shift 2
  if [[ $url =~ ^(postgres(ql)?://[^:@/]+):([^@/]*)@(.*)$ ]]; then
    password=${BASH_REMATCH[3]}
    url="${BASH_REMATCH[1]}@${BASH_REMATCH[4]}"
    printf -v password '%b' "${password//%/\\x}"
  fi
  bin=$(command -v "$program" || compgen -G "/usr/lib/postgresql/*/bin/$program" | tail -n 1) || {
    echo "$program is not installed (Debian's package postgresql-client)" >&2
    return 1
  }
  PGPASSWORD=${password:-${PGPASSWORD:-}} PGCONNECT_TIMEOUT=10 "$bin" --dbname "$url" "$@"
}

# database_psql URL ARGUMENT...
database_psql() {
  local url=$1
  shift
  database_program psql "$url" --no-psqlrc --quiet --set ON_ERROR_STOP=1 "$@"
}
