# Sourced by ./run: up and down. DATA is the stack's folder, an absolute path.

SERVICES=(api sender gateway webhooker)
START_TIMEOUT_S=$((90 * ${WA_TEST_SLOW:-1})) # under valgrind all takes longer
STOP_TIMEOUT_S=120

DATA=''
DETACH=no
DOUBLE=no # a WhatsApp for tests
declare -A COUNT=([api]=1 [sender]=1 [gateway]=1 [webhooker]=1)
WIRING='' # a file, see wiring
API_PORT=''
API_ADDR=''
API_URL=''
ADMIN_TOKEN=''
TEST_OWNER=''
LOG_START=0 # how long the supervisor's log was before
SUPERVISOR='' # its process id, while it is ours to stop

# Variables that are the stack's own: another stack's, sourced from its run.env, are of no use to it.
STACK_VARIABLES=(WA_API_URL WA_ADMIN_TOKEN WA_DATABASE_URL WA_REDIS_URL WA_MASTER_KEY WA_INSTANCE WA_PRIVATE_PORT
  WA_API_PORT WA_BUILD_DIR WA_ROLE_PASSWORDS WA_SUPERUSER_DATABASE_URL)

number_or_die() {
  [[ $2 =~ ^[0-9]{1,5}$ ]] && [ "$2" -ge "$3" ] && [ "$2" -le "$4" ] || die_usage "$1 wants a number from $3 to $4, not «$2»"
}

data_set() {
  [ -n "$1" ] || die_usage "--data wants a folder"
  case $1 in
    /*) DATA=$1 ;;
    *) DATA=$CALLED_FROM/$1 ;;
  esac
  case $DATA in
    *[$'\n"\\']*) die "--data: quotes, backslashes and line breaks will not do in a path" ;;
  esac
}

stack_options() {
  DATA=$ROOT/var
  API_PORT=${WA_API_PORT:-8000}
  API_ADDR=${WA_API_ADDR:-127.0.0.1}
  while [ $# -gt 0 ]; do
    case $1 in
      --*=*)
        set -- "${1%%=*}" "${1#*=}" "${@:2}"
        continue
        ;;
      --detach) DETACH=yes ;;
      --whatsapp-double) DOUBLE=yes ;;
      --port | --data | --wiring | --apis | --senders | --gateways | --webhookers)
        [ $# -ge 2 ] || die_usage "$1 wants a value"
        case $1 in
          --port) API_PORT=$2 ;;
          --wiring) WIRING=$2 ;;
          --data) data_set "$2" ;;
          *)
            number_or_die "$1" "$2" 1 16
            COUNT[$(option_service "$1")]=$2
            ;;
        esac
        shift
        ;;
      *) die_usage "up does not know $1" ;;
    esac
    shift
  done
  number_or_die --port "$API_PORT" 1 65535
  [ -z "$WIRING" ] || WIRING=$(cd "$CALLED_FROM" && readlink -e "$WIRING") || die_usage "--wiring wants a file that is there"
}

# --senders: sender
option_service() {
  local service=${1#--}
  echo "${service%s}"
}

data_prepare() {
  mkdir -p "$DATA" || die "$DATA cannot be made"
  DATA=$(cd "$DATA" && pwd -P)
  # Postgres's own user has to get through to its folder; the secrets are in folders of their own.
  [ ! -O "$DATA" ] || chmod u+rwx,go+x "$DATA"
  [ -w "$DATA" ] || die "$DATA belongs to somebody else"
  mkdir -p -m 755 "$DATA/run" "$DATA/log"
  mkdir -p -m 700 "$DATA/secrets" "$DATA/secrets/roles"
}

# Whether anything listens on that port of this machine.
port_is_taken() {
  local hex
  printf -v hex '%04X' "$1"
  grep -qsE ": [0-9A-F]+:$hex [0-9A-F]+:[0-9A-F]+ 0A " /proc/net/tcp /proc/net/tcp6
}

# Who listens there, in words; empty when it cannot be known.
port_holder() {
  local hex inode pid
  printf -v hex '%04X' "$1"
  inode=$(awk -v port=":$hex" '$4 == "0A" && substr($2, length($2) - 4) == port { print $10; exit }' \
    /proc/net/tcp /proc/net/tcp6 2>/dev/null)
  pid=$(find /proc/[0-9]*/fd -lname "socket:\[$inode\]" 2>/dev/null | head -n 1 | cut -d / -f 3) || true
  [ -z "$pid" ] || echo " by $(cat "/proc/$pid/comm") (process $pid)"
}

# A port below those that the kernel gives to outgoing connections, that nobody listens on.
port_find_free() {
  local ephemeral port
  read -r ephemeral _ </proc/sys/net/ipv4/ip_local_port_range
  [ "$ephemeral" -gt 12000 ] || ephemeral=32768
  while :; do
    port=$((10000 + SRANDOM % (ephemeral - 10000)))
    port_is_taken "$port" || [ "$port" -eq "$API_PORT" ] || grep -qsx "$port" "$DATA"/run/*.port || break
  done
  echo "$port"
}

# ports_choose NAME...: DATA/run/NAME.port keeps the port of each from one start to the next, unless it was taken since.
ports_choose() {
  local name file port
  for name in "$@"; do
    file=$DATA/run/$name.port
    port=$(cat "$file" 2>/dev/null || true)
    [[ $port =~ ^[0-9]+$ ]] && ! port_is_taken "$port" && continue
    port_find_free >"$file.new"
    mv "$file.new" "$file"
  done
}

port_of() {
  cat "$DATA/run/$1.port"
}

instances() {
  local service number
  for service in "${SERVICES[@]}"; do
    for ((number = 1; number <= COUNT[$service]; number++)); do
      echo "$service-$number"
    done
  done
}

# spec_process NAME STAGE STOP_SIGNAL GRACE: how the supervisor learns of a process; see tools/process_spec.h.
spec_process() {
  printf 'process %s\nstage %s\nstop %s\ngrace %s\nlog %s\npid %s\n' \
    "$1" "$2" "$3" "$4" "$DATA/log/$1.log" "$DATA/run/$1.pid"
}

# wiring NAME postgres|redis|env: what the file of --wiring says of that process, one a line. Its lines are «NAME postgres HOST:PORT» and
# «NAME redis HOST:PORT» (the service goes there in place of the server's own address, through a proxy for example; run.env and the
# migration keep to the direct one) and «NAME env VARIABLE=VALUE».
wiring() {
  [ -z "$WIRING" ] || awk -v name="$1" -v what="$2" '$1 == name && $2 == what { sub(/^[^ ]+ [^ ]+ /, ""); print }' "$WIRING"
}

spec_wiring() {
  wiring "$1" env | sed 's/^/env /'
}

spec_service() {
  local name=$1 service=${1%-*}
  spec_process "$name" 1 TERM 10
  [ -z "${WA_TEST_WRAPPER:-}" ] || echo "arg $WA_TEST_WRAPPER" # a program of the tests' that runs its arguments
  cat <<SPEC
arg $BUILD_DIR/services/$service/$service
env WA_INSTANCE=$name
env WA_MODE=${WA_MODE:-development}
env WA_DATABASE_URL=$(database_url "$service" "$(wiring "$name" postgres)")
env WA_REDIS_URL=$(redis_url "$(wiring "$name" redis)")
env WA_MASTER_KEY=$(secret master_key)
env WA_PRIVATE_PORT=$(port_of "$name")
env WA_PUBLIC_URL=${WA_PUBLIC_URL:-$API_URL}
SPEC
  case $service in api | gateway) worker_env "$service" ;; esac
  spec_wiring "$name"
  [ "$service" = api ] || return 0
  cat <<SPEC
env WA_ADMIN_TOKEN=$ADMIN_TOKEN
env WA_API_ADDR=$API_ADDR
env WA_API_PORT=$API_PORT
SPEC
}

spec() {
  local name
  spec_process postgres-1 0 INT 60
  [ -z "$SERVER_USER" ] || echo "user $SERVER_USER"
  printf 'arg %s\n' "$(postgres_bin)/postgres" -D "$POSTGRES_HOME/data"
  spec_wiring postgres-1
  spec_process redis-1 0 TERM 10
  printf 'arg %s\n' "$(command -v redis-server)" "$DATA/redis/redis.conf"
  spec_wiring redis-1
  [ "$DOUBLE" = no ] || double_spec
  for name in $(instances); do
    spec_service "$name"
  done
}

admin_token() {
  local token=${WA_ADMIN_TOKEN:-}
  if [ -z "$token" ] && [ -n "${WA_ADMIN_TOKEN_FILE:-}" ]; then
    token=$(<"$WA_ADMIN_TOKEN_FILE")
  fi
  [[ $token != *$'\n'* ]] || die "WA_ADMIN_TOKEN holds a line break"
  [ -n "$token" ] && echo "$token" || secret admin_token wat_
}

run_env() {
  printf 'WA_API_URL=%q\n' "$API_URL"
  printf 'WA_ADMIN_TOKEN=%q\n' "$ADMIN_TOKEN"
  printf 'WA_DATABASE_URL=%q\n' "$(database_url wa)"
  printf 'WA_REDIS_URL=%q\n' "$(redis_url)"
  [ "$DOUBLE" = no ] || printf 'WHATSAPP_ADMIN_URL=%q\n' "$(double_info admin_url "$DATA/whatsapp/ready.json")"
}

supervisor_runs() {
  [ -e "$DATA/run/supervisor.lock" ] && ! flock --nonblock "$DATA/run/supervisor.lock" true
}

supervisor_start() {
  LOG_START=$(stat -c %s "$DATA/log/supervisor.log" 2>/dev/null || echo 0)
  (
    local name
    exec 9>&-
    unset "${STACK_VARIABLES[@]}" "${!WA_TEST_@}"
    for name in "${STACK_VARIABLES[@]}"; do
      unset "${name}_FILE"
    done
    ulimit -n "$(limit_files)"
    umask 022
    exec "$BUILD_DIR/tools/supervise" "$DATA" $$ ${TEST_OWNER:+"$TEST_OWNER"} \
      </dev/null >>"$DATA/log/supervisor.log" 2>&1
  ) &
  SUPERVISOR=$!
}

limit_files() {
  local limit
  limit=$(ulimit -Hn)
  [ "$limit" != unlimited ] && [ "$limit" -lt 65536 ] || limit=65536
  echo "$limit"
}

# wait_for WHAT SECONDS COMMAND...: until the command succeeds, as long as the supervisor lives.
wait_for() {
  local what=$1 deadline=$((SECONDS + $2))
  shift 2
  until "$@"; do
    kill -0 "$SUPERVISOR" 2>/dev/null || die_with_log "the supervisor ended" supervisor
    [ "$SECONDS" -lt "$deadline" ] || die_with_log "$what did not come up" "${what,,}-1"
    sleep 0.1
  done
}

die_with_log() {
  tail -n 15 "$DATA/log/$2.log" >&2 2>/dev/null || true
  die "$1; the end of $DATA/log/$2.log is above"
}

health() {
  curl --silent --max-time 3 --noproxy '*' "$API_URL/api/v1/health" 2>/dev/null || true
}

is_healthy() {
  [[ $(health) =~ ^\{[[:space:]]*\"status\"[[:space:]]*:[[:space:]]*\"ok\" ]]
}

# Prints the name of a process that died five times since this start, if there is one.
crash_loop() {
  tail -c "+$((LOG_START + 1))" "$DATA/log/supervisor.log" | awk '
    $4 == "at=process_end" && ++count[$5] == 5 && !found++ { sub("name=", "", $5); print $5 }'
}

health_wait() {
  local deadline=$((SECONDS + START_TIMEOUT_S)) name
  until is_healthy; do
    kill -0 "$SUPERVISOR" 2>/dev/null || die_with_log "the supervisor ended" supervisor
    name=$(crash_loop)
    [ -z "$name" ] || die_with_log "$name dies as soon as it is started" "$name"
    if [ "$SECONDS" -ge "$deadline" ]; then
      for name in $(instances); do
        printf -- '--- %s\n' "$DATA/log/$name.log" >&2
        tail -n 5 "$DATA/log/$name.log" >&2 || true
      done
      die "not healthy after $START_TIMEOUT_S s; the services' last words are above, the api says: $(health)"
    fi
    sleep 0.1
  done
}

# Processes that a killed supervisor left: they were told to end when it died, and are killed if they do not.
leftovers_end() {
  local deadline=$((SECONDS + 20)) file pid name left
  while :; do
    left=''
    for file in "$DATA"/run/*-*.pid; do
      [ -e "$file" ] || continue
      pid=$(<"$file")
      name=$(basename "$file" .pid)
      case $(readlink "/proc/$pid/exe" 2>/dev/null) in
        */"${name%-*}"* | */redis-check-rdb* | */node) left=$pid ;;
        *) rm -f "$file" ;;
      esac
      [ "$left" != "$pid" ] || [ "$SECONDS" -lt "$deadline" ] || kill -KILL "$pid"
    done
    [ -n "$left" ] || break
    sleep 0.1
  done
  rm -f "$DATA/run/supervisor.pid"
}

# Stops the supervisor of DATA and waits until it has stopped everything else.
supervisor_stop() {
  local pid
  if supervisor_runs; then
    pid=$(cat "$DATA/run/supervisor.pid" 2>/dev/null || true)
    [ -z "$pid" ] || kill -TERM "$pid" 2>/dev/null || [ ! -d "/proc/$pid" ] ||
      die "the stack of $DATA was started by $(stat -c %U "/proc/$pid"); stop it as that user"
    flock --timeout "$STOP_TIMEOUT_S" "$DATA/run/supervisor.lock" true ||
      die "$DATA: not stopped after $STOP_TIMEOUT_S s; see $DATA/log/supervisor.log"
  fi
  leftovers_end
}

# Whatever ends ./run before the stack is meant to stay ends the stack.
on_exit() {
  local status=$?
  trap - EXIT
  trap '' INT TERM HUP
  if [ -n "$SUPERVISOR" ]; then
    kill -TERM "$SUPERVISOR" 2>/dev/null || true
    wait "$SUPERVISOR" || true
    leftovers_end
  fi
  exit "$status"
}

say_where() {
  say "API          $API_URL/api/v1    health: $API_URL/api/v1/health"
  say "Reference    $API_URL/docs"
  say "Settings     $DATA/run.env    logs: $DATA/log/"
  [ "$DOUBLE" = no ] || say "WhatsApp     a double of it: $(double_info admin_url "$DATA/whatsapp/ready.json") (tests/whatsapp/README.md)"
}

already_running() {
  API_URL=$(. "$DATA/run.env" && echo "$WA_API_URL")
  say "The stack of $DATA is running already."
  say_where
  local deadline=$((SECONDS + START_TIMEOUT_S))
  until is_healthy; do
    [ "$SECONDS" -lt "$deadline" ] || die "it is not healthy: $(health)"
    sleep 0.2
  done
}

stack_lock() {
  exec 9>"$DATA/run/up.lock"
  flock --timeout 600 9 || die "another ./run up or down of $DATA has been at work for ten minutes"
}

stack_prepare() {
  if [ "$EUID" -eq 0 ]; then
    SERVER_USER=postgres
    [ ! -e "$DATA/postgres/data" ] || SERVER_USER=$(stat -L -c %U "$DATA/postgres/data")
    id "$SERVER_USER" >/dev/null 2>&1 || die "Postgres does not run as root, and its user «$SERVER_USER» is not here"
    postgres_homes_sweep
  fi
  # shellcheck disable=SC2046 # a word for each
  ports_choose postgres-1 redis-1 $(instances)
  ADMIN_TOKEN=$(admin_token)
  worker_prepare
  [ "$DOUBLE" = no ] || double_prepare
  postgres_prepare
  redis_prepare
  spec | write_private "$DATA/run/supervisor.spec"
  run_env | write_private "$DATA/run.env"
}

stack_start() {
  supervisor_start
  wait_for Postgres "$START_TIMEOUT_S" postgres_is_ready
  wait_for Redis "$START_TIMEOUT_S" redis_is_ready
  database_migrate
  kill -USR1 "$SUPERVISOR"
  health_wait
}

stack_up() {
  stack_options "$@"
  API_URL=http://${API_ADDR/#0.0.0.0/127.0.0.1}:$API_PORT
  TEST_OWNER=${WA_TEST_OWNER:-}
  trap on_exit EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  data_prepare
  stack_lock
  if supervisor_runs; then
    already_running
    return
  fi
  leftovers_end
  if port_is_taken "$API_PORT"; then
    die "port $API_PORT is taken$(port_holder "$API_PORT"); choose another one with --port"
  fi
  packages_install "$PACKAGES_RUN"
  build_all
  stack_prepare
  [ -z "${WA_TEST_DIR:-}" ] || printf '%s\n' "$DATA" >>"$WA_TEST_DIR/stacks"
  stack_start
  say "Everything is up."
  say_where
  if [ "$DETACH" = yes ]; then
    kill -USR2 "$SUPERVISOR"
    SUPERVISOR=''
    say "Stop it with: ./run down$([ "$DATA" = "$ROOT/var" ] || printf ' --data %q' "$DATA")"
    return
  fi
  exec 9>&-
  trap 'exit 0' INT TERM HUP
  say "Ctrl-C stops it."
  wait "$SUPERVISOR" || true
  SUPERVISOR=''
  leftovers_end
}

stack_down() {
  DATA=$ROOT/var
  case ${1:-} in
    '') ;;
    --data) data_set "${2:-}" ;;
    --data=*) data_set "${1#*=}" ;;
    *) die_usage "down knows --data DIR only" ;;
  esac
  if [ ! -d "$DATA/run" ]; then
    say "Nothing runs in $DATA."
    return
  fi
  DATA=$(cd "$DATA" && pwd -P)
  supervisor_stop
  say "Stopped."
}
