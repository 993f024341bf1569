# Sourced by ./run: the test suites and the benchmarks. Each adds what it saw to PASSED and FAILED.

SUITES=(layers unit fuzz integration faults)
PASSED=0
FAILED=0
TEST_DIR=''

tally() {
  PASSED=$((PASSED + $1))
  FAILED=$((FAILED + $2))
}

# tally_closing_line LOG STATUS: of a suite that ends with a line «N passed, N failed».
tally_closing_line() {
  local line passed=0 failed=0
  line=$(grep -Eo '[0-9]+ passed, [0-9]+ failed' "$1" | tail -n 1) || true
  [ -z "$line" ] || read -r passed _ failed _ <<<"$line"
  [ "$2" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
  tally "$passed" "$failed"
}

# suite_script NAME ARGUMENT...
suite_script() {
  local script=$1 log=$TEST_DIR/suite.log status=0
  shift
  "$script" "$@" 2>&1 | tee "$log" || status=$?
  tally_closing_line "$log" "$status"
}

suite_layers() {
  suite_script tests/layers "$@"
}

suite_unit() {
  local log=$TEST_DIR/unit.log status=0 passed failed
  meson test -C "$BUILD_DIR" --no-rebuild --print-errorlogs --no-suite fuzz "$@" 2>&1 | tee "$log" || status=$?
  passed=$(sed -n 's/^Ok: *//p' "$log" | tail -n 1)
  failed=$(sed -n -e 's/^Fail: *//p' -e 's/^Timeout: *//p' -e 's/^Unexpected Pass: *//p' "$log" | awk '{ n += $1 } END { print n + 0 }')
  [ "$status" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
  tally "${passed:-0}" "$failed"
}

node_packages() {
  packages_install "$PACKAGES_TEST"
  [ ! -e "$1/package-lock.json" ] || [ "$1/node_modules/.package-lock.json" -nt "$1/package-lock.json" ] ||
    npm ci --prefix "$1" --no-audit --no-fund >"$TEST_DIR/npm.log" 2>&1 || {
    tail -n 20 "$TEST_DIR/npm.log" >&2
    die "npm ci failed in $1 (above)"
  }
}

# suite_node FOLDER [FILE or node option]...: each test file by itself, so that one that hangs does not hide the others.
suite_node() {
  local folder=$1 file tap=$TEST_DIR/tap status files=() options=() word
  shift
  node_packages "$folder"
  for word in "$@"; do
    case $word in
      -*) options+=("$word") ;;
      */*) files+=("$word") ;;
      *) files+=("$folder/${word%.test.mjs}.test.mjs") ;;
    esac
  done
  [ "${#files[@]}" -gt 0 ] || files=("$folder"/*.test.mjs)
  for file in "${files[@]}"; do
    say "--- $file"
    status=0
    rm -f "$tap"
    timeout --kill-after 10 "${WA_TEST_FILE_TIMEOUT:-900}" node --test \
      --test-reporter=spec --test-reporter-destination=stdout \
      --test-reporter=tap --test-reporter-destination="$tap" "${options[@]}" "$file" || status=$?
    [ "$status" -ne 124 ] || say "$file: not finished in time"
    tally_tap "$tap" "$status"
    stacks_stop
  done
}

tally_tap() {
  local passed failed
  passed=$(sed -n 's/^# pass //p' "$1" 2>/dev/null | tail -n 1)
  failed=$(sed -n -e 's/^# fail //p' -e 's/^# cancelled //p' "$1" 2>/dev/null | awk '{ n += $1 } END { print n + 0 }')
  [ "$2" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
  tally "${passed:-0}" "$failed"
}

# suite_folder NAME ARGUMENT...: tests/NAME/run when it is there, else the folder's *.test.mjs.
suite_folder() {
  local folder=tests/$1
  shift
  if [ -x "$folder/run" ]; then
    suite_script "$folder/run" "$@"
  else
    suite_node "$folder" "$@"
  fi
}

suite_exists() {
  [ "$1" = layers ] || [ "$1" = unit ] || [ -x "tests/$1/run" ] || compgen -G "tests/$1/*.test.mjs" >/dev/null
}

suite_run() {
  local name=$1
  shift
  say "=== $name"
  case $name in
    layers) suite_layers "$@" ;;
    unit) suite_unit "$@" ;;
    *) suite_folder "$name" "$@" ;;
  esac
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
  stacks_stop
  rm -rf "$TEST_DIR"
  exit "$status"
}

# What the tests find in their environment, and what makes their stacks end with this process.
test_environment() {
  TEST_DIR=$(mktemp -d "${TMPDIR:-/tmp}/wa-test-XXXXXXXX")
  chmod 711 "$TEST_DIR" # Postgres's own user has to get through when we are root
  trap on_test_exit EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  unset "${!WA_@}"
  export WA_TEST_DIR=$TEST_DIR WA_TEST_OWNER=$$ WA_TEST_RUN=$ROOT/run WA_BUILD_DIR=$BUILD_DIR
}

sanitizer_environment() {
  mkdir "$TEST_DIR/sanitizer"
  chmod 1777 "$TEST_DIR/sanitizer"
  export ASAN_OPTIONS=halt_on_error=1:abort_on_error=0:detect_leaks=1:log_path=$TEST_DIR/sanitizer/asan
  export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1:log_path=$TEST_DIR/sanitizer/ubsan
}

sanitizer_reports() {
  local report
  for report in "$TEST_DIR"/sanitizer/*; do
    [ -s "$report" ] || continue
    cat "$report" >&2
    tally 0 1
  done
}

suites_test() {
  local names=() name sanitize=no arguments=()
  while [ $# -gt 0 ]; do
    case $1 in
      --sanitize) sanitize=yes ;;
      layers | unit | fuzz | integration | faults | compose)
        [ "${#arguments[@]}" -eq 0 ] && [ "${#names[@]}" -eq 0 ] && names+=("$1") || arguments+=("$1") ;;
      *)
        [ "${#names[@]}" -gt 0 ] || die "$1 is no test suite; there are ${SUITES[*]} compose"
        arguments+=("$1")
        ;;
    esac
    shift
  done
  [ "$sanitize" = no ] || BUILD_DIR=$ROOT/build-asan
  [ "${#names[@]}" -eq 1 ] && [ "${names[0]}" = layers ] || packages_install "$PACKAGES_RUN"
  [ "${#names[@]}" -eq 1 ] && [ "${names[0]}" = layers ] || build_all
  test_environment
  [ "$sanitize" = no ] || sanitizer_environment
  if [ "${#names[@]}" -eq 0 ]; then
    for name in "${SUITES[@]}"; do
      ! suite_exists "$name" || names+=("$name")
    done
  fi
  for name in "${names[@]}"; do
    suite_exists "$name" || die "there is no tests/$name yet"
    suite_run "$name" "${arguments[@]}"
  done
  [ "$sanitize" = no ] || sanitizer_reports
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
  "tests/bench/$name" "$@"
}
