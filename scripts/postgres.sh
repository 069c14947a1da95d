# A PostgreSQL of our own for tests; to be sourced after lib.sh.

# postgres_bin prints the folder of the newest server found.
postgres_bin() {
	local dir
	for dir in $(ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin 2>/dev/null | sort -rV) "$(dirname "$(command -v initdb 2>/dev/null || echo /none/x)")"; do
		if [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ]; then
			echo "$dir"
			return
		fi
	done
	return 1
}

# postgres_as COMMAND...: the server refuses to run as root, so root lends it another user.
postgres_as() {
	if [ "$(id -u)" -ne 0 ]; then
		"$@"
		return
	fi
	local user=nobody
	id postgres >/dev/null 2>&1 && user=postgres
	setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups -- env HOME="$postgres_dir" "$@"
}

# postgres_start starts a server in a temporary folder on a free port of the loopback interface and sets TANDEM_TEST_POSTGRES.
postgres_start() {
	local bin port try
	bin=$(postgres_bin) || { apt_install postgresql; bin=$(postgres_bin) || die "PostgreSQL was installed, but no initdb is found"; }
	postgres_dir=$(mktemp -d /tmp/tandem-pg.XXXXXX)
	if [ "$(id -u)" -eq 0 ]; then
		chown "$(id postgres >/dev/null 2>&1 && echo postgres || echo nobody)" "$postgres_dir"
	fi
	(cd "$postgres_dir" && postgres_as "$bin/initdb" -D "$postgres_dir/data" -A trust -U postgres -E UTF8 --no-sync) >"$postgres_dir.log" 2>&1 ||
		{ cat "$postgres_dir.log" >&2; die "initdb failed"; }
	for try in 1 2 3 4 5 6 7 8; do
		port=$((20000 + RANDOM % 12000))
		(cd "$postgres_dir" && postgres_as "$bin/postgres" -D "$postgres_dir/data" -p $port -k "$postgres_dir" -h 127.0.0.1 \
			-c max_connections=300 -c fsync=off -c full_page_writes=off) >>"$postgres_dir.log" 2>&1 &
		postgres_job=$!
		if postgres_wait $port; then
			export TANDEM_TEST_POSTGRES="postgres://postgres@127.0.0.1:$port/postgres?sslmode=disable"
			echo "PostgreSQL runs on port $port"
			return
		fi
		wait $postgres_job 2>/dev/null || true
	done
	cat "$postgres_dir.log" >&2
	die "PostgreSQL could not be started"
}

# postgres_wait PORT: waits until the server started last answers; fails when it has ended.
postgres_wait() {
	local i
	for i in $(seq 150); do
		kill -0 "$postgres_job" 2>/dev/null || return 1
		if [ -S "$postgres_dir/.s.PGSQL.$1" ] && grep -q "ready" "$postgres_dir/data/postmaster.pid" 2>/dev/null; then return 0; fi
		sleep 0.2
	done
	return 1
}

# postgres_stop ends the server that postgres_start started and removes its files.
postgres_stop() {
	[ -n "${postgres_dir:-}" ] || return 0
	local pid
	pid=$(head -n 1 "$postgres_dir/data/postmaster.pid" 2>/dev/null || true)
	if [ -n "$pid" ]; then kill -INT "$pid" 2>/dev/null || true; fi
	wait "${postgres_job:-}" 2>/dev/null || true
	rm -rf "$postgres_dir" "$postgres_dir.log"
	postgres_dir=
}
