# Functions that the other scripts share; to be sourced by bash from the project's root.

# The Go distribution unpacks to a folder that is not on every PATH.
command -v go >/dev/null 2>&1 || PATH=$PATH:/usr/local/go/bin
export PATH

say() { printf '\n== %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# as_root COMMAND...: runs it as root, by sudo where we are not.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null 2>&1; then
		sudo -n "$@" || die "sudo asks for a password: run 'sudo -v' first, or install by hand: $*"
	else
		die "this needs root or sudo: $*"
	fi
}

# apt_install PACKAGE...: installs Debian packages.
apt_install() {
	command -v apt-get >/dev/null 2>&1 || die "these are missing and there is no apt-get: install them by your system's means: $*"
	say "installing $*"
	if [ -z "${apt_updated:-}" ]; then
		as_root apt-get update -q >/dev/null || die "apt-get update failed: is the network there? It is needed to install $*"
		apt_updated=yes
	fi
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >/dev/null ||
		die "apt-get could not install $*"
}

# need_command COMMAND PACKAGE...: installs the packages when the command is not there.
need_command() {
	local command=$1
	shift
	command -v "$command" >/dev/null 2>&1 || apt_install "$@"
}

need_go() {
	command -v go >/dev/null 2>&1 || die "Go is missing: install it from https://go.dev/dl/ (go.mod says which version)"
}

# node_good: the Node.js found is new enough for Vite (20.19, or 22.12 and later).
node_good() {
	command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 &&
		node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit((a === 20 && b >= 19) || (a === 22 && b >= 12) || a > 22 ? 0 : 1)'
}

# need_node: puts a Node.js on the PATH that is new enough; an old one is only used to get a newer one from npm.
need_node() {
	local own=$PWD/build/node/node_modules/node/bin
	if [ -d "$own" ]; then PATH=$own:$PATH; fi
	node_good && return
	need_command npm nodejs npm
	node_good && return
	say "installing Node.js 22 into build/node"
	npm install --prefix build/node --no-audit --no-fund --loglevel=error node@22 >/dev/null ||
		die "npm could not install Node.js 22: is the network there?"
	PATH=$own:$PATH
	node_good || die "Node.js $(node --version 2>/dev/null) is too old and a newer one could not be installed: install 22 by hand"
}

# npm_ci FOLDER: installs what its lock file names, unless that was done since it changed.
npm_ci() {
	if [ "$1/node_modules/.package-lock.json" -nt "$1/package-lock.json" ]; then return; fi
	say "npm ci in $1"
	(cd "$1" && npm ci --no-audit --no-fund --loglevel=error) || die "npm ci failed in $1: is the network there?"
	touch "$1/node_modules/.package-lock.json"
}

# need_speech: fetches the speech module.
need_speech() {
	sh internal/speech/flite/fetch.sh || die "the speech module could not be fetched: is the network there? To build without it: make build TAGS="
}

# need_console: builds the console when its sources are newer than what was built.
need_console() {
	local built=internal/console/dist/index.html
	if [ -f "$built" ] && [ -z "$(find web -newer "$built" -type f -not -path '*/node_modules/*' -print -quit)" ]; then return; fi
	need_node
	npm_ci web
	say "building the console"
	(cd web && npm run --silent build) || die "the console could not be built"
	touch "$built"
}
