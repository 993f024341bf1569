#!/bin/bash
# with_services.sh COMMAND [ARG…]: run COMMAND with a Postgres and a Redis of its own, gone when it ends.
# It finds them in WA_TEST_DATABASE_URL (an empty database of a superuser) and WA_TEST_REDIS_URL.
# WITH_SERVICES_SCHEMA=1 makes that database the product's: roles and all migrations of deploy/.
# WITH_SERVICES_KEEP=1 leaves the folder with their logs behind.
set -euo pipefail

dir=$(mktemp -d /tmp/wa-services.XXXXXX)
postgres_pid= redis_pid= command_pid=

stop() {
	trap - EXIT INT TERM HUP
	for pid in "$command_pid" "$redis_pid"; do
		[[ -z $pid ]] || kill -KILL "$pid" 2>/dev/null || true
	done
	[[ -z $postgres_pid ]] || kill -QUIT "$postgres_pid" 2>/dev/null || true
	wait 2>/dev/null || true
	[[ -n ${WITH_SERVICES_KEEP:-} ]] || rm -rf "$dir"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

fail() {
	echo "with_services: $1" >&2
	tail -n 20 "$dir"/*.log >&2 || true
	exit 99
}

# Servers die with us, even when we are killed.
as_postgres=(setpriv --pdeathsig QUIT)
if [[ $(id -u) == 0 ]]; then
	chown postgres: "$dir"
	as_postgres=(setpriv --reuid=postgres --regid=postgres --init-groups --pdeathsig QUIT)
fi

start_postgres() {
	local bin
	bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
	[[ -n $bin ]] || bin=$(dirname "$(command -v postgres || echo /nowhere/postgres)")
	[[ -x $bin/postgres ]] || fail "no postgres found"
	cd "$dir"
	LC_ALL=C.UTF-8 "${as_postgres[@]}" "$bin/initdb" --pgdata="$dir/pg" --username=postgres --auth=trust --no-sync \
		--encoding=UTF8 --locale=C.UTF-8 >"$dir/initdb.log" 2>&1 || fail "initdb failed"
	"${as_postgres[@]}" "$bin/postgres" -D "$dir/pg" -k "$dir" -c listen_addresses= -c fsync=off \
		-c shared_buffers=32MB -c max_connections=60 >"$dir/postgres.log" 2>&1 </dev/null &
	postgres_pid=$!
	cd - >/dev/null
	for _ in {1..600}; do
		"$bin/pg_isready" -q -h "$dir" -U postgres && break
		kill -0 "$postgres_pid" 2>/dev/null || fail "postgres did not start"
		sleep 0.05
	done
	"$bin/pg_isready" -q -h "$dir" -U postgres || fail "postgres is not ready"
}

start_redis() {
	local port
	for _ in {1..20}; do
		port=$((20000 + RANDOM % 12000))
		setpriv --pdeathsig KILL redis-server --port "$port" --bind 127.0.0.1 --dir "$dir" --save '' \
			--appendonly no >"$dir/redis.log" 2>&1 </dev/null &
		redis_pid=$!
		for _ in {1..200}; do
			# The port may be another's: ask for ours by its process id.
			if redis-cli -p "$port" info server 2>/dev/null | tr -d '\r' | grep -qx "process_id:$redis_pid"; then
				redis_url=redis://127.0.0.1:$port
				return
			fi
			kill -0 "$redis_pid" 2>/dev/null || break
			sleep 0.05
		done
		kill -KILL "$redis_pid" 2>/dev/null || true
		wait "$redis_pid" 2>/dev/null || true
	done
	fail "redis did not start"
}

apply_schema() {
	local deploy role
	deploy=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../deploy" && pwd)
	mkdir "$dir/passwords"
	for role in wa api sender gateway webhooker; do
		echo "$role" >"$dir/passwords/$role"
	done
	{
		WA_SUPERUSER_DATABASE_URL=$WA_TEST_DATABASE_URL WA_ROLE_PASSWORDS=$dir/passwords "$deploy/roles" &&
			WA_DATABASE_URL="postgresql://wa@/wa?host=$dir" "$deploy/migrate"
	} >"$dir/migrate.log" 2>&1 || fail "the schema could not be applied"
	WA_TEST_DATABASE_URL="postgresql://postgres@/wa?host=$dir"
}

start_postgres
start_redis
export WA_TEST_DATABASE_URL="postgresql://postgres@/postgres?host=$dir"
[[ -z ${WITH_SERVICES_SCHEMA:-} ]] || apply_schema
export WA_TEST_REDIS_URL=$redis_url

"$@" &
command_pid=$!
code=0
wait "$command_pid" || code=$?
command_pid=
exit "$code"
