#!/usr/bin/env bash
# What to run before each commit: format, vet, lint, and the short tests of the packages that changed since the branch left
# BASE (default origin/main, else the commit before).
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
need_go

say "format"
bad=$(git ls-files -z --cached --others --exclude-standard '*.go' | xargs -0 -r ls -d 2>/dev/null | xargs -r go tool -modfile=tools.mod gofumpt -l)
if [ -n "$bad" ]; then
	printf '%s\n' "$bad"
	die "these files are not formatted: go tool -modfile=tools.mod gofumpt -w FILE"
fi

say "vet"
go vet ./...

say "lint"
go tool -modfile=tools.mod golangci-lint run --timeout 10m ./...

say "short tests of what changed"
base=${BASE:-}
if [ -z "$base" ]; then
	base=$(git merge-base HEAD origin/main 2>/dev/null || git rev-parse -q --verify HEAD~1 || git hash-object -t tree /dev/null)
fi
packages=$({ git diff --name-only "$base"; git ls-files --others --exclude-standard; } | grep '\.go$' | xargs -r -n 1 dirname | sort -u |
	while read -r dir; do if ls "$dir"/*.go >/dev/null 2>&1; then echo "./$dir"; fi; done)
if [ -z "$packages" ]; then
	echo "no package changed"
	exit 0
fi
# shellcheck disable=SC2086 # one argument each
go test -short $packages
