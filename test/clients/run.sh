#!/bin/sh
# Installs the clients that are missing, tries them against the stand-in org and prints "N passed, N failed".
# They go to $TANDEM_TEST_CACHE, or ~/.cache/tandem-test: 300 MB, most of it the Salesforce CLI. Their versions are those
# of the lock files here. TANDEM_CLIENTS_BUDGET is the time the tests may take, 10m unless set.
set -u
here=$(cd "$(dirname "$0")" && pwd)
cache=${TANDEM_TEST_CACHE:-$HOME/.cache/tandem-test}
export TANDEM_TEST_CACHE="$cache"

for client in node jsforce pubsub cometd sf; do
	dir=$cache/$client
	if [ -d "$dir/node_modules" ] && cmp -s "$here/$client/package-lock.json" "$dir/package-lock.json"; then
		continue
	fi
	mkdir -p "$dir" || exit 1
	cp "$here/$client/package.json" "$here/$client/.npmrc" "$dir/" || exit 1
	cp "$here/$client/package-lock.json" "$dir/new-lock.json" || exit 1
	# The lock file is put in place for npm, and stays only when all was installed: the next run compares it.
	cp "$dir/new-lock.json" "$dir/package-lock.json" || exit 1
	if ! (cd "$dir" && npm ci --ignore-scripts --no-progress --loglevel=error); then
		rm -f "$dir/package-lock.json" "$dir/new-lock.json"
		echo "installing $client failed" >&2
		exit 1
	fi
	rm -f "$dir/new-lock.json"
done

log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
(cd "$here" && go test -count=1 -v -timeout "${TANDEM_CLIENTS_BUDGET:-10m}" .) >"$log" 2>&1
code=$?
grep -E '(version |--- (FAIL|SKIP)|_test.go:[0-9]+: )' "$log"
# Steps are what counts; a test without steps, such as one that was skipped or ended early, counts for itself.
passed=$(grep -c '^ \{4,\}--- PASS' "$log")
failed=$(grep -c '^ \{4,\}--- FAIL' "$log")
if [ "$code" -ne 0 ] && [ "$failed" -eq 0 ]; then
	failed=1
	tail -n 20 "$log"
fi
echo "$passed passed, $failed failed"
exit "$code"
