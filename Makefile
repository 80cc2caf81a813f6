# Every target sets up first what it needs: on a fresh Debian machine nothing has to be installed beforehand.
# `make` alone lists the targets.

CARGO := tools/cargo

# The full suite runs on MAJORS; the shorter one on those of OTHER_MAJORS that could be had.
MAJORS ?= 16 18
OTHER_MAJORS ?= 14 15 17
# The test binaries of the shorter suite, by name; all of them when empty.
SHORT_TESTS ?= property systems inspect audit fixpoints reading mutation no_false_drift
# Pairs per major in `make soak`.
PAIRS ?= 2000
# More arguments for the test runner, as in: make test ARGS='-- --nocapture some_name'
ARGS ?=

# Tests make and drop many thousands of files: in memory where 8 GiB are free there.
memory = TMPDIR="$$(df -Pk /dev/shm 2>/dev/null | awk -v usual="$${TMPDIR:-/tmp}" \
	'NR == 2 && $$4 >= 8 * 1024 * 1024 { found = "/dev/shm" } END { print found ? found : usual }')"

# Read when a recipe runs, after the setup.
pg_root = PGPLUMB_PG_ROOT="$$(realpath .deps/pg)"
had = $(patsubst .deps/pg/%/bin/postgres,%,$(wildcard .deps/pg/*/bin/postgres))
others = $(filter-out $(MAJORS),$(filter $(had),$(OTHER_MAJORS)))
short_tests = $(if $(SHORT_TESTS),$(addprefix --test ,$(SHORT_TESTS)),--tests)

.PHONY: help setup build demo test test-majors test-short soak bench fmt lint

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' $(MAKEFILE_LIST) | while IFS=: read -r name what; do \
		printf '  make %-12s%s\n' "$$name" "$$what"; done

setup: ## install build tools and Rust if missing, PostgreSQL 14 to 18 under .deps/pg
	@tools/setup

build: setup ## build target/release/pgplumb
	$(CARGO) build --release

demo: build ## show what pgplumb does, on a server of its own
	@$(pg_root) tools/demo

# The doc tests come first so that the run ends with tests of the servers.
test: setup ## run every test: the full suite on 16 and 18, the shorter one on 14, 15 and 17
	$(CARGO) test --doc
	$(memory) $(pg_root) PGPLUMB_TEST_MAJORS="$(MAJORS)" $(CARGO) test --tests $(ARGS)
	@for major in $(OTHER_MAJORS); do \
		[ -x .deps/pg/$$major/bin/postgres ] || echo "PostgreSQL $$major is not here: no tests on it"; done
	$(if $(others),$(memory) $(pg_root) PGPLUMB_TEST_MAJORS="$(others)" PGPLUMB_TEST_SHORT=1 $(CARGO) test $(short_tests) $(ARGS))

test-majors: setup ## run the full suite on MAJORS alone, as in: make test-majors MAJORS=17
	$(memory) $(pg_root) PGPLUMB_TEST_MAJORS="$(MAJORS)" $(CARGO) test --tests $(ARGS)

test-short: setup ## run the shorter suite on MAJORS alone
	$(memory) $(pg_root) PGPLUMB_TEST_MAJORS="$(MAJORS)" PGPLUMB_TEST_SHORT=1 $(CARGO) test $(short_tests) $(ARGS)

soak: setup ## run thousands of random pairs of schemas on MAJORS
	$(memory) $(pg_root) PGPLUMB_TEST_MAJORS="$(MAJORS)" PGPLUMB_PAIRS=$(PAIRS) $(CARGO) test --test property -- --nocapture $(ARGS)

bench: setup ## run the benchmarks
	$(memory) $(pg_root) $(CARGO) bench --bench scale $(ARGS)

fmt: ## format the code
	@tools/setup --lint
	$(CARGO) fmt

lint: ## check the formatting and the lints
	@tools/setup --lint
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
