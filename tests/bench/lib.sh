# What the benchmarks share: a stack of their own, a customer, the servers to compare with. Sourced, from the repo's root.
# Everything that is started here is stopped by the trap, however the benchmark ends.

BUILD=${WA_BUILD_DIR:-build}
WORK=$(mktemp -d /tmp/wa-bench-XXXXXX)
chmod 711 "$WORK" # Postgres's own user has to get through when we are root
PIDS=()

finish() {
	for pid in "${PIDS[@]:-}"; do
		[ -z "$pid" ] || kill "$pid" 2>/dev/null || true
		[ -z "$pid" ] || wait "$pid" 2>/dev/null || true
	done
	stop_stack
	rm -rf "$WORK"
	return 0
}
trap finish EXIT
trap 'exit 130' INT TERM

free_port() {
	node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})'
}

need_packages() {
	local missing=()
	for name in "$@"; do
		dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
	done
	[ ${#missing[@]} -eq 0 ] && return
	echo "installing ${missing[*]}"
	local sudo=
	[ "$(id -u)" = 0 ] || sudo=sudo
	$sudo apt-get install -y --no-install-recommends "${missing[@]}" >"$WORK/apt.log" 2>&1 || {
		tail -5 "$WORK/apt.log" >&2
		echo "cannot install ${missing[*]}" >&2
		exit 1
	}
}

machine() {
	printf '%s, %s cores, %s GiB, %s' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)" "$(nproc)" \
		"$(awk '/MemTotal/ {printf "%.0f", $2 / 1048576}' /proc/meminfo)" "$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release)"
}

# start_stack [args of ./run up …]
start_stack() {
	API_PORT=$(free_port)
	./run up --detach --data "$WORK/data" --port "$API_PORT" "$@" >"$WORK/up.log" 2>&1 || {
		tail -20 "$WORK/up.log" >&2
		exit 1
	}
	. "$WORK/data/run.env"
	export URL=$WA_REDIS_URL
}

# Its data go too: the next one begins empty. What was frozen could not end.
stop_stack() {
	local file
	[ -d "$WORK/data" ] || return 0
	for file in "$WORK"/data/run/{api,sender,gateway,webhooker}-1.pid; do
		kill -CONT "$(cat "$file")" 2>/dev/null || true
	done
	./run down --data "$WORK/data" >/dev/null 2>&1 || true
	rm -rf "$WORK/data"
}

sql() {
	psql "$WA_DATABASE_URL" -qtAX -v ON_ERROR_STOP=1 "$@"
}

post() { # path, JSON, [header]
	curl -sS --fail-with-body -X POST "$WA_API_URL/api/v1$1" -H 'Content-Type: application/json' ${3:+-H "$3"} -d "$2"
}

json_field() {
	node -pe "JSON.parse(require('fs').readFileSync(0, 'utf8')).$1"
}

# make_customer COUNT: a tenant, a key, and COUNT contacts in a row of ids.
make_customer() {
	TENANT=$(post /tenants '{"name":"Bench"}' | json_field tenant_id)
	API_KEY=$(post "/tenants/$TENANT/api-keys" '{"name":"bench","permissions":["messages:send","contacts:read","contacts:create"]}' | json_field api_key)
	sql -c "UPDATE tenants SET backlog_cap = 100000000 WHERE id = $TENANT"
	FIRST_CONTACT=$(sql -c "WITH c AS (INSERT INTO contacts (tenant_id, first_name) SELECT $TENANT, 'c' FROM generate_series(1, $1) RETURNING id),
		n AS (INSERT INTO contact_numbers (tenant_id, phone, contact_id) SELECT $TENANT, '+49' || (1700000000 + id * 10 + 7), id FROM c)
		SELECT min(id) FROM c")
}

start_bare() {
	BARE_PORT=$(free_port)
	"$BUILD/tests/bench/bare_evhttp" "$BARE_PORT" &
	PIDS+=($!)
	wait_port "$BARE_PORT"
}

start_peer() {
	PEER_PORT=$(free_port)
	PEER_KEY=sk_live_peer0000000000000000000000000000
	psql "$WA_DATABASE_URL" -qtAX -c 'CREATE SCHEMA peer' >/dev/null
	PEER_DATABASE_URL="$WA_DATABASE_URL" PEER_REDIS_URL="$WA_REDIS_URL" PEER_API_KEY=$PEER_KEY \
		/usr/bin/python3 -m uvicorn --app-dir tests/bench/peer_fastapi app:app --host 127.0.0.1 --port "$PEER_PORT" \
		--log-level warning >"$WORK/peer.log" 2>&1 &
	PIDS+=($!)
	wait_port "$PEER_PORT"
}

wait_port() {
	for _ in $(seq 200); do
		(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
		sleep 0.05
	done
	cat "$WORK"/*.log >&2
	echo "nothing listens on port $1" >&2
	exit 1
}

# Let one kind of daemon stand still, or go on. A benchmark of one part is not charged for the others.
freeze() { kill -STOP "$(cat "$WORK/data/run/$1-1.pid")"; }
thaw() { kill -CONT "$(cat "$WORK/data/run/$1-1.pid")"; }

# Forget what was accepted, so that a round does not pay for the one before.
forget_messages() {
	sql -c 'TRUNCATE messages, idempotency_keys, once_refs; TRUNCATE peer.messages, peer.idempotency_keys'
	node --input-type=module -e "import {redisCommand} from './tests/integration/support/redis.mjs'; await redisCommand(process.env.URL, ['FLUSHALL'])"
}

# A checkpoint, as a database that has run for a while has had: its log goes on in files that exist, in place of making each of them.
settle_postgres() {
	local address=${WA_DATABASE_URL##*@}
	psql "postgresql://postgres:$(cat "$WORK/data/secrets/postgres")@${address%%/*}/postgres" -qc CHECKPOINT
}

note() { # name, a line of JSON
	echo "  $1: $2"
	echo "$2" >>"$WORK/$1.json"
}

median() { # name, [member]: of all lines noted
	while read -r line; do echo "$line" | json_field "${2:-per_s}"; done <"$WORK/$1.json" | sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'
}

ratio() { # text, a, b
	awk -v text="$1" -v a="$2" -v b="$3" 'BEGIN {printf "  %s  %.2f\n", text, (b > 0 ? a / b : 0)}'
}
