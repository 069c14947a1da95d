#!/usr/bin/env bash
# Prints the figures of docs/benchmarks.md, measured here and now. Load and hub share this machine: run it when nothing else does.
# Arguments choose parts: start go phone hub sandbox console; none means all. It takes about fifteen minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

parts=${*:-start go phone hub sandbox console}
wanted() { case " $parts " in *" $1 "*) return 0 ;; esac; return 1; }

need_go
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)" 2>/dev/null || true
# Linux shares the processors between sessions first: the session that measures gets the larger share.
echo -15 >/proc/self/autogroup 2>/dev/null || true
say "the machine"
nproc
grep -m1 'model name' /proc/cpuinfo || true
uptime
go version
[ -x bin/tandem ] || bash scripts/build.sh

if wanted start; then
	say "from start to ready, new database and existing one"
	go build -o build/benchstart ./bench/start
	./build/benchstart -bin bin/tandem
fi
if wanted go; then
	say "Go benchmarks"
	go test -run '^$' -bench . -benchmem -count 3 ./bench/policy ./internal/flow/... ./internal/keyring ./internal/sqlstore
fi
if wanted phone; then
	need_command sipp sip-tester
	go build -o build/benchphone ./bench/phone
	say "signalling alone: calls a second, set up and cleared"
	for cps in 800 1500 2000; do ./build/benchphone -cps $cps -length 8s; done
	# With REALTIME=1 phone and far end go before all other work (needs root): for a machine that does other things too.
	flags=${REALTIME:+-realtime}
	say "prompts at once${REALTIME:+, with real-time priority}"
	for n in 500 1000 2000 3000 4000; do ./build/benchphone $flags -prompts $n -length 10s; done
	say "prompts at once, the callers speak too"
	./build/benchphone $flags -prompts 2000 -talk -length 10s
	say "bridges at once, both directions"
	for n in 250 500 1000 1500; do ./build/benchphone $flags -bridges $n -length 10s; done
fi
if wanted hub; then
	say "the whole hub: flow with three dips, durable record, audit"
	go build -o build/benchhub ./bench/hub
	./build/benchhub -rate 50,100,200,300,400 -seconds 15 -hold 10s
fi
if wanted sandbox; then
	go build -o build/benchsandbox ./bench/sandbox
	say "the stand-in org: start, single requests, bulk loads"
	./build/benchsandbox -bin bin/tandem -parts "start rest bulk"
	say "an org of a million contacts (2 GB of disk)"
	./build/benchsandbox -bin bin/tandem -parts million
fi
if wanted console; then
	need_node
	command -v chromium >/dev/null 2>&1 || [ -n "${TANDEM_CHROMIUM:-}" ] || apt_install chromium
	say "the console: opening a flow of 250 steps"
	npm_ci test/e2e
	TANDEM_BIN=$PWD/bin/tandem node bench/console/open.mjs 15
fi
