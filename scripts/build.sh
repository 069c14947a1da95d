#!/usr/bin/env bash
# Builds bin/tandem with the console and the speech module in it. TAGS= leaves speech out, CONSOLE=no the console.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

tags=${TAGS-flite}
need_go
[ "${CONSOLE:-yes}" = no ] || need_console
case ",$tags," in *,flite,*) need_speech ;; esac
# The revision is stamped in where git lets us read it, which it does not in a tree of another owner.
vcs=false
git rev-parse HEAD >/dev/null 2>&1 && vcs=auto
go build -trimpath -buildvcs=$vcs -tags "$tags" -o bin/tandem ./cmd/tandem
echo "built bin/tandem"
