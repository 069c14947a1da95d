# What there is to do with this project. The recipes are scripts, so that they can be read and run without make.
SHELL := bash
TAGS ?= flite
export TAGS

.PHONY: run build test check bench clean help

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

run: build ## build and run the hub with sample data; ARGS="--http 127.0.0.1:9000" passes flags
	bin/tandem up $(ARGS)

build: ## build bin/tandem with the console and speech
	@bash scripts/build.sh

test: ## run every test; installs what is missing. SUITES="go web" runs some
	@bash scripts/test.sh $(SUITES)

check: ## format, vet, lint, and the short tests of what changed
	@bash scripts/check.sh

bench: build ## print the figures of docs/benchmarks.md; PARTS="hub" measures some
	@bash scripts/bench.sh $(PARTS)

clean: ## remove what was built
	rm -rf bin build web/node_modules test/e2e/node_modules test/e2e/test-results
	find internal/console/dist -mindepth 1 -not -name .gitkeep -delete
