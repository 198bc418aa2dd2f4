# Entry points only; the work is in cargo and in docker/.

STACK := docker/native/stack.sh

.DEFAULT_GOAL := help
.PHONY: help require build test golden lint fmt stack stack-down demo demo-docker bench bench-growth profile microbench extremes online-schema-change values fuzz soak clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

require:
	docker/native/require.sh

build: ## The release binary, target/release/cdc
	cargo build --release --locked

# The stack's environment names the servers; tests find them by it. A test waits now and then: one more than there are cores.
test: export RUST_TEST_THREADS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
test: require ## All tests, against real MySQLs, Kafka and a registry
	$(STACK) up
	set -a && eval "$$($(STACK) env)" && set +a && cargo test --workspace --no-fail-fast

# Fetches Kafka Connect and Debezium (150 MB) the first time. `make test` compares with what this wrote.
golden: require ## Run the real Debezium, and record what it writes into tests/golden/debezium
	$(STACK) up
	set -a && eval "$$($(STACK) env)" && set +a && cargo test -p cdc --test cdc-tests -- --ignored --nocapture --test-threads=1 golden::

lint: ## Clippy, warnings denied
	cargo clippy --workspace --all-targets -- -D warnings

fmt: ## Format the code
	cargo fmt --all

stack: require ## Start two MySQLs, Kafka and a registry on free ports of 127.0.0.1
	$(STACK) up

stack-down: ## Stop them; their data stays in .stack
	$(STACK) down

demo: ## Replicate real data, crash both ends, compare every byte
	docker/demo.sh

demo-docker: ## The same pipeline in containers
	DEMO_IN=docker docker/demo.sh

# QUICK=1 takes a fifth of the rows, and five minutes. PEERS=0 leaves the peers out of the road. Results go to bench/results.
bench: require ## Throughput and delays on this machine, beside Debezium and MySQL's own replication
	$(STACK) up
	set -a && eval "$$($(STACK) env)" && set +a && cargo test --release -p cdc --test cdc-tests -- --ignored --nocapture --test-threads=1 bench_road bench_shapes bench_transactions

# QUICK=1 takes small sizes only, FULL=1 up to 10,000,000 rows, ONLY=rows that chart. Results go to bench/results.
bench-growth: require ## How cost grows with rows, columns, tables, transactions …: a chart and an exponent for each
	$(STACK) up
	set -a && eval "$$($(STACK) env)" && set +a && cargo test --release -p cdc --test cdc-tests -- --ignored --nocapture bench_growth

# Fetches inferno through cargo the first time; `perf` is the machine's own (Debian: linux-perf).
profile: require ## Flame graphs of source and sink at work on a backlog, to bench/results
	command -v inferno-flamegraph >/dev/null || cargo install --locked inferno
	$(STACK) up
	set -a && eval "$$($(STACK) env)" && set +a && cargo test --release -p cdc --test cdc-tests -- --ignored --nocapture bench_profile

# Needs no servers.
microbench: ## Time and allocations for a row in each step of the hot path
	cargo test --release -p cdc-mysql-source -p cdc -p cdc-mysql-sink --lib -- --ignored --nocapture --test-threads=1 hot_path_

# One at a time: each has servers of its own and gigabytes on disk. The last line of each is JSON.
extremes: require ## What is very large, with the memory it took: 2 GB transaction, 64 MB rows, 10,000 tables …
	$(STACK) up
	set -a && eval "$$($(STACK) env)" && set +a && cargo test --release -p cdc --test cdc-tests -- --ignored --nocapture --test-threads=1 extremes

# Fetches the Percona Toolkit (2 MB, through apt) and builds gh-ost (with Go) the first time.
online-schema-change: require ## pt-online-schema-change and gh-ost alter a table under writes while source and sink run
	$(STACK) up
	set -a && eval "$$($(STACK) env)" && set +a && cargo test -p cdc --test cdc-tests -- --ignored --nocapture online_schema_change

# Writes bench/results/values.json. CDC_VALUES_CASES makes more or fewer, CDC_TEST_SEED makes others.
values: require ## Random tables over all types, character sets and modes, and the list of what was tried
	$(STACK) up
	set -a && eval "$$($(STACK) env)" && set +a && CDC_VALUES_RESULTS=$(CURDIR)/bench/results/values.json cargo test -p cdc --test cdc-tests -- --nocapture random_tables_arrive_identical

# The last line is JSON: faults by kind, what was compared, seeds. Each run adds its counts to bench/results/faults.json.
soak: require ## Larger models, planted bugs, random tables, then faults of every kind for CDC_SOAK_MINUTES (20), everything compared
	$(STACK) up
	cargo test -p cdc --test cdc-tests -- --ignored --nocapture model::
	set -a && eval "$$($(STACK) env)" && set +a && cargo test --profile soak -p cdc --test cdc-tests -- --ignored --nocapture values::planted
	set -a && eval "$$($(STACK) env)" && set +a && cargo test --profile soak -p cdc --test cdc-tests -- --ignored --nocapture --test-threads=1 faults::planted
	set -a && eval "$$($(STACK) env)" && set +a && CDC_VALUES_RESULTS=$(CURDIR)/bench/results/values.json cargo test --profile soak -p cdc --test cdc-tests -- --ignored --nocapture values::soak
	set -a && eval "$$($(STACK) env)" && set +a && cargo test --profile soak -p cdc --test cdc-tests -- --ignored --nocapture faults::soak

# Needs no servers. CASES for each of the tests.
fuzz: ## Damage of every kind to whatever is decoded: no panic, no more memory than what came allows
	PROPTEST_CASES=$${CASES:-50000} cargo test --workspace --lib fuzz_

clean: ## Remove what was built, and the stack with its data (downloads stay)
	$(STACK) purge
	cargo clean
