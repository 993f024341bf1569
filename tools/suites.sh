# Sourced by ./run: the test suites and the benchmarks. Each adds what it saw to PASSED and FAILED.

# A whole run, in two halves side by side: most of what suites do is wait.
SUITES=(layers unit fuzz integration)
BESIDE=(whatsapp worker faults)
PASSED=0
FAILED=0
TEST_DIR=''
SUITE_PID='' # the process group that runs the suite, while it runs
BESIDE_PID=''
SUITE_LIMIT_S=3600

tally() {
  PASSED=$((PASSED + $1))
  FAILED=$((FAILED + $2))
}

# guarded LOG COMMAND...: shows what it says and keeps it in LOG. Runs in a session of its own, so that on_test_exit can end
# all of it, ends with us, and after so many seconds at the latest.
guarded() {
  local status=0
  setsid setpriv --pdeathsig TERM timeout --kill-after 10 "$SUITE_LIMIT_S" bash -c \
    'log=$1; shift; "$@" 2>&1 | tee "$log"; exit "${PIPESTATUS[0]}"' suite "$@" &
  SUITE_PID=$!
  wait "$SUITE_PID" || status=$?
  SUITE_PID=''
  [ "$status" -ne 124 ] || say "not finished after $SUITE_LIMIT_S s"
  return "$status"
}

# sum PATTERN LOG: adds up the numbers behind the pattern, an extended regular expression without groups.
sum() {
  sed -nE "s/^[^0-9a-zA-Z]*($1) *([0-9]+) *$/\\2/p" "$2" | awk '{ n += $1 } END { print n + 0 }'
}

# tally_log STATUS LOG PASSED_PATTERN FAILED_PATTERN
tally_log() {
  local failed
  failed=$(sum "$4" "$2")
  [ "$1" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
  tally "$(sum "$3" "$2")" "$failed"
}

# tally_line STATUS LOG: by its last «N passed, N failed».
tally_line() {
  local line passed=0 failed=0
  line=$(grep -Eo '[0-9]+ passed, [0-9]+ failed' "$2" | tail -n 1) || true
  [ -z "$line" ] || read -r passed _ failed _ <<<"$line"
  [ "$1" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
  tally "$passed" "$failed"
}

# suite_script SCRIPT ARGUMENT...: a script whose last line is «N passed, N failed».
suite_script() {
  local log=$TEST_DIR/suite.log status=0
  guarded "$log" "$@" || status=$?
  tally_line "$status" "$log"
}

suite_unit() {
  local log=$TEST_DIR/suite.log status=0 patience=4 # times 30 s: for what hangs, not for what a busy machine makes slow
  if [ "$VALGRIND" = yes ]; then
    patience=10
    set -- --wrapper "$WA_TEST_WRAPPER" --suite unit "$@"
  fi
  guarded "$log" meson test -C "$BUILD_DIR" --no-rebuild --print-errorlogs --timeout-multiplier "$patience" "$@" || status=$?
  tally_log "$status" "$log" 'none' 'Fail:|Timeout:|Unexpected Pass:'
  [ "$(sum 'Skipped:' "$log")" -eq 0 ] || say "$(sum 'Skipped:' "$log") skipped: they count neither way"
  # A program counts as many tests as it says that it holds.
  tally "$(awk '/^ *[0-9]+\/[0-9]+ .* OK / { n += / subtests passed/ ? $(NF - 2) : 1 } END { print n + 0 }' "$log")" 0
}

# node_packages FOLDER: what its tests need, and in PATH a Node.js that is new enough, for what they start too, where it can be had.
node_packages() {
  ! node_find || [ "$(command -v node)" = "$NODE" ] || PATH=$(dirname "$NODE"):$PATH
  [ ! -e "$1/package-lock.json" ] || npm_install "$1" || die "npm ci failed in $1 (above)"
}

# suite_node COMMAND...: something that ends with the summary of Node's test runner.
suite_node() {
  local log=$TEST_DIR/suite.log status=0
  guarded "$log" node "$@" || status=$?
  tally_log "$status" "$log" 'pass' 'fail|cancelled'
}

# suite_folder NAME ARGUMENT...: the folder says by what it holds how it is run.
suite_folder() {
  local folder=tests/$1
  shift
  if [ -x "$folder/run" ]; then
    suite_script "$folder/run" "$@"
    return
  fi
  node_packages "$folder"
  if [ -e "$folder/run-all.mjs" ]; then
    suite_node "$folder/run-all.mjs" "$@"
  else
    suite_node --test --test-concurrency=2 "$@" "$folder"/*.test.mjs
  fi
}

# suite_worker WORD...: the tests of the baileys engine's worker, those whose names hold a word if there are any.
suite_worker() {
  local folder=services/gateway/baileys word files=()
  node_packages "$folder"
  node_packages tests/whatsapp
  [ $# -gt 0 ] || set -- ''
  for word in "$@"; do files+=("$folder"/test/*"$word"*.test.mjs); done
  suite_node --test --test-concurrency=2 "${files[@]}"
}

suite_exists() {
  [ "$1" = layers ] || [ "$1" = unit ] || [ "$1" = worker ] || [ -x "tests/$1/run" ] || compgen -G "tests/$1/*.mjs" >/dev/null
}

suite_run() {
  local name=$1
  shift
  say "=== $name"
  case $name in
    layers) suite_script tests/layers "$@" ;;
    unit) suite_unit "$@" ;;
    fuzz)
      packages_install "$PACKAGES_FUZZ"
      suite_script tests/fuzz/run "$@"
      ;;
    worker) suite_worker "$@" ;;
    compose)
      node_packages tests/integration # whose customers and endpoints it uses
      node_packages tests/whatsapp
      suite_folder "$name" "$@"
      ;;
    faults)
      [[ " $*" != *" --scenario"* ]] || packages_install "$PACKAGES_FAULTS"
      suite_folder faults "$@"
      ;;
    soak)
      SUITE_LIMIT_S=86400 # --minutes says how long
      suite_folder soak "$@"
      ;;
    *) suite_folder "$name" "$@" ;;
  esac
  stacks_stop
}

# A run of its own, which ends when this one does; what it says comes when the others have said theirs.
beside_start() {
  local folder
  for folder in tests/integration tests/whatsapp "$WORKER_DIR"; do node_packages "$folder"; done
  setpriv --pdeathsig TERM "$ROOT/run" test "$@" "${BESIDE[@]}" >"$TEST_DIR/beside.log" 2>&1 </dev/null &
  BESIDE_PID=$!
}

beside_end() {
  local status=0
  wait "$BESIDE_PID" || status=$?
  BESIDE_PID=''
  cat "$TEST_DIR/beside.log"
  tally_line "$status" "$TEST_DIR/beside.log"
}

# Every stack that was started since, wherever its data is: ./run up noted it.
stacks_stop() {
  local data
  [ -e "$TEST_DIR/stacks" ] || return 0
  while read -r data; do
    [ ! -d "$data" ] || "$ROOT/run" down --data "$data" >/dev/null || true
  done < <(sort -u "$TEST_DIR/stacks")
  rm -f "$TEST_DIR/stacks"
}

on_test_exit() {
  local status=$?
  trap - EXIT
  trap '' INT TERM HUP
  local pid
  for pid in $SUITE_PID $BESIDE_PID; do
    kill -TERM "$pid" 2>/dev/null || true
    wait "$pid" || true
  done
  stacks_stop
  rm -rf "$TEST_DIR"
  exit "$status"
}

# What the tests find in their environment, and what makes their stacks end with this process.
test_environment() {
  TEST_DIR=$(mktemp -d "${TMPDIR:-/tmp}/wa-test-XXXXXXXX")
  mkdir "$TEST_DIR/tmp"
  chmod 711 "$TEST_DIR" "$TEST_DIR/tmp" # Postgres's own user has to get through when we are root
  trap on_test_exit EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  unset "${!WA_@}"
  export TMPDIR=$TEST_DIR/tmp # what a test leaves there goes with the rest
  export WA_TEST_DIR=$TEST_DIR WA_TEST_OWNER=$$ WA_TEST_RUN=$ROOT/run WA_BUILD_DIR=$BUILD_DIR
}

sanitizer_environment() {
  mkdir "$TEST_DIR/sanitizer"
  chmod 1777 "$TEST_DIR/sanitizer"
  # What was freed is kept back for a while: so much of it that a daemon still counts as small.
  export ASAN_OPTIONS=quarantine_size_mb=16:halt_on_error=1:abort_on_error=0:detect_leaks=1:log_path=$TEST_DIR/sanitizer/asan
  export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1:log_path=$TEST_DIR/sanitizer/ubsan
}

# reports_tally FOLDER: each file that is not empty is something that failed.
reports_tally() {
  local report
  for report in "$1"/*; do
    [ -s "$report" ] || continue
    say "--- ${report##*/}"
    cat "$report" >&2
    tally 0 1
  done
}

# Daemons and unit tests under valgrind's memcheck. What that finds does not end them, but counts as failed.
VALGRIND=no
valgrind_environment() {
  packages_install "$PACKAGES_VALGRIND"
  mkdir "$TEST_DIR/memcheck"
  chmod 1777 "$TEST_DIR/memcheck"
  export MEMCHECK_DIR=$TEST_DIR/memcheck
  export WA_TEST_WRAPPER=$ROOT/tests/support/memcheck
  export WA_TEST_SLOW=4 # how much longer the tests wait, and how much less they send
}

suites_test() {
  local names=() name sanitize=no arguments=()
  while [ $# -gt 0 ]; do
    case $1 in
      --sanitize) sanitize=yes ;;
      --valgrind) VALGRIND=yes ;;
      layers | unit | fuzz | whatsapp | worker | integration | faults | compose | soak)
        if [ "${#arguments[@]}" -eq 0 ]; then names+=("$1"); else arguments+=("$1"); fi
        ;;
      *)
        [ "${#names[@]}" -gt 0 ] || die_usage "$1 is no test suite"
        arguments+=("$1")
        ;;
    esac
    shift
  done
  [ "$sanitize" = no ] || BUILD_DIR=$ROOT/build-asan
  # The layers are sources; what compose tests is built in containers.
  if [ "${names[*]}" != layers ] && [ "${names[*]}" != compose ]; then
    packages_install "$PACKAGES_RUN"
    build_all
  fi
  test_environment
  [ "$sanitize" = no ] || sanitizer_environment
  if [ "$VALGRIND" = yes ]; then
    valgrind_environment
    [ "${#names[@]}" -gt 0 ] || names=(unit integration)
  fi
  if [ "${#names[@]}" -eq 0 ]; then
    if [ "$sanitize" = no ]; then beside_start; else beside_start --sanitize; fi
    for name in "${SUITES[@]}"; do
      if [ "$name" = fuzz ] && [ -n "$(packages_missing "$PACKAGES_FUZZ")" ]; then
        say "(fuzz is left out: it needs clang; ./run test fuzz installs it)"
      elif suite_exists "$name"; then
        names+=("$name")
      fi
    done
  fi
  for name in "${names[@]}"; do
    suite_exists "$name" || die "there is no tests/$name yet"
    if [ "$name" = fuzz ] && [ "${#names[@]}" -gt 1 ]; then
      suite_run fuzz 1 # a second for each target: the long run is ./run test fuzz
    else
      suite_run "$name" "${arguments[@]}"
    fi
  done
  [ -z "$BESIDE_PID" ] || beside_end
  [ "$sanitize" = no ] || reports_tally "$TEST_DIR/sanitizer"
  [ "$VALGRIND" = no ] || reports_tally "$MEMCHECK_DIR"
  say "$PASSED passed, $FAILED failed"
  [ "$FAILED" -eq 0 ] && [ "$PASSED" -gt 0 ]
}

suites_bench() {
  local name=${1:-}
  if [ -z "$name" ] || [ ! -x "tests/bench/$name" ]; then
    [ -z "$name" ] || say "There is no benchmark $name."
    say "Benchmarks:"
    find tests/bench -maxdepth 1 -type f -perm -u+x -printf '  %f\n' 2>/dev/null | sort
    [ -z "$name" ]
    return
  fi
  shift
  packages_install "$PACKAGES_RUN"
  build_all
  test_environment
  guarded "$TEST_DIR/bench.log" "tests/bench/$name" "$@"
}
