# Sourced by ./run: the stack's own Postgres and Redis. DATA is the stack's folder.

POSTGRES_HOME=''
SERVER_USER='' # whom Postgres runs as, when we are root: it refuses to be root

# server_as COMMAND...: run it as the one who owns the database's files.
server_as() {
  if [ -n "$SERVER_USER" ]; then
    setpriv --reuid "$SERVER_USER" --regid "$(id -g "$SERVER_USER")" --init-groups -- "$@"
  else
    "$@"
  fi
}

# secret NAME [PREFIX]: the stack's own, made the first time that it is asked for.
secret() {
  local file=$DATA/secrets/$1
  if [ ! -s "$file" ]; then
    printf '%s%s' "${2:-}" "$(od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n')" | write_private "$file"
  fi
  cat "$file"
}

# write_private FILE: standard input into it, whole or not at all, for our eyes only.
write_private() {
  (umask 077 && cat >"$1.new") && mv "$1.new" "$1"
}

# Makes the folder for Postgres and sets POSTGRES_HOME to its real path: DATA/postgres, or, where its user could not get there (below /root, for example), a symbolic
# link of that name to a folder in /var/lib/wa-agent; for a DATA below /tmp it is in /tmp, to go the same way.
postgres_home() {
  if [ ! -e "$DATA/postgres" ]; then
    if [ -z "$SERVER_USER" ]; then
      mkdir -m 700 "$DATA/postgres"
    elif server_as test -x "$DATA"; then
      install -d -m 700 -o "$SERVER_USER" -g "$(id -g "$SERVER_USER")" "$DATA/postgres"
    else
      postgres_home_elsewhere
    fi
  fi
  POSTGRES_HOME=$(readlink -f "$DATA/postgres")
}

postgres_home_elsewhere() {
  local base
  case $DATA in
    /tmp/*) base=$(mktemp -d /tmp/wa-agent-XXXXXXXX) ;;
    *)
      mkdir -p -m 755 /var/lib/wa-agent
      base=$(mktemp -d /var/lib/wa-agent/XXXXXXXX)
      ;;
  esac
  chmod 755 "$base"
  printf '%s\n' "$DATA" >"$base/data"
  install -d -m 700 -o "$SERVER_USER" -g "$(id -g "$SERVER_USER")" "$base/postgres"
  ln -s "$base/postgres" "$DATA/postgres"
}

# Folders in /tmp whose stack was removed.
postgres_homes_sweep() {
  local pointer
  for pointer in /tmp/wa-agent-*/data; do
    [ -O "$pointer" ] || continue
    [ -e "$(<"$pointer")" ] || rm -rf "$(dirname "$pointer")"
  done
}

# Prints the folder of Postgres's programs: the version that made the data, else the newest.
postgres_bin() {
  local version bin
  if [ -n "$(server_as cat "$POSTGRES_HOME/data/PG_VERSION" 2>/dev/null)" ]; then
    version=$(server_as cat "$POSTGRES_HOME/data/PG_VERSION")
    bin=/usr/lib/postgresql/$version/bin
    [ -x "$bin/postgres" ] || die "$DATA was made by Postgres $version, which is not installed: apt-get install postgresql-$version"
  else
    bin=$(compgen -G '/usr/lib/postgresql/*/bin/postgres' | sort -V | tail -n 1)
    bin=${bin%/postgres}
  fi
  echo "$bin"
}

postgres_configuration() {
  cat <<CONF
# Written by ./run up; it is written anew each time.
listen_addresses = '127.0.0.1'
port = $1
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
max_connections = 200
shared_buffers = 256MB
jit = off

fsync = on
synchronous_commit = on
wal_level = replica
wal_compression = on
min_wal_size = 256MB
max_wal_size = 2GB
checkpoint_timeout = 15min

# The queue's rows change a few times each and are then left alone: vacuum little and often.
autovacuum_naptime = 15s
autovacuum_vacuum_scale_factor = 0.05
autovacuum_vacuum_insert_scale_factor = 0.1
autovacuum_analyze_scale_factor = 0.05
autovacuum_vacuum_cost_limit = 2000

idle_in_transaction_session_timeout = 30s
timezone = 'UTC'
log_timezone = 'UTC'
log_destination = 'stderr'
log_line_prefix = '%m [%p] %q%u@%d '
# A row that is refused would be in the log else, with bodies and numbers.
log_error_verbosity = terse
log_lock_waits = on
CONF
}

# Makes the cluster if it is not there yet, in a folder that gets its name when it is complete.
postgres_prepare() {
  local bin data fresh
  postgres_home
  data=$POSTGRES_HOME/data
  fresh=$POSTGRES_HOME/fresh
  bin=$(postgres_bin)
  if ! server_as test -e "$data/PG_VERSION"; then
    say "Making the database"
    server_as rm -rf "$fresh"
    secret postgres | server_as sh -c 'umask 077; cat >"$1"' sh "$POSTGRES_HOME/password"
    server_as "$bin/initdb" --pgdata "$fresh" --username postgres --pwfile "$POSTGRES_HOME/password" \
      --auth scram-sha-256 --encoding UTF8 --locale C.UTF-8 >"$DATA/log/initdb.log" 2>&1 </dev/null || {
      tail -n 20 "$DATA/log/initdb.log" >&2
      die "initdb failed (above)"
    }
    server_as rm -f "$POSTGRES_HOME/password"
    server_as mv "$fresh" "$data"
  fi
  postgres_configuration "$(port_of postgres-1)" | server_as sh -c 'cat >"$1"' sh "$data/postgresql.conf"
  echo 'host all all 127.0.0.1/32 scram-sha-256' | server_as sh -c 'cat >"$1"' sh "$data/pg_hba.conf"
}

redis_prepare() {
  mkdir -p -m 700 "$DATA/redis"
  write_private "$DATA/redis/redis.conf" <<CONF
# Written by ./run up; it is written anew each time.
bind 127.0.0.1
port $(port_of redis-1)
requirepass $(secret redis)
dir "$DATA/redis"
daemonize no
save ""
appendonly yes
appendfsync everysec
no-appendfsync-on-rewrite no
maxmemory 512mb
maxmemory-policy noeviction
CONF
}

# database_url ROLE [HOST:PORT]: there, in place of the server's own address
database_url() {
  local database=wa password
  if [ "$1" = postgres ]; then
    database=postgres
    password=$(secret postgres)
  else
    password=$(secret "roles/$1")
  fi
  echo "postgresql://$1:$password@${2:-127.0.0.1:$(port_of postgres-1)}/$database"
}

# redis_url [HOST:PORT]
redis_url() {
  echo "redis://:$(secret redis)@${1:-127.0.0.1:$(port_of redis-1)}/0"
}

postgres_is_ready() {
  "$(postgres_bin)/pg_isready" --quiet --timeout 1 --host 127.0.0.1 --port "$(port_of postgres-1)"
}

redis_is_ready() {
  [ "$(REDISCLI_AUTH=$(secret redis) redis-cli -h 127.0.0.1 -p "$(port_of redis-1)" ping 2>/dev/null)" = PONG ]
}

database_migrate() {
  local role
  for role in wa api sender gateway webhooker; do
    secret "roles/$role" >/dev/null
  done
  WA_SUPERUSER_DATABASE_URL=$(database_url postgres) WA_ROLE_PASSWORDS=$DATA/secrets/roles deploy/roles ||
    die "the database's roles could not be made (above)"
  WA_DATABASE_URL_FILE='' WA_DATABASE_URL=$(database_url wa) deploy/migrate || die "the database could not be migrated (above)"
}
