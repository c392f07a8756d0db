# The commands of a developer. `make demo` and `make test` are all that a newcomer needs.
CLUSTER_TOOL := e2e/cluster/cluster
export CARGO_TERM_COLOR ?= auto

.PHONY: help demo test quick check unit chart e2e e2e-v2 advisories fuzz soak storm image cluster bench bench-cluster clean

help: ## say what there is
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

demo: ## show it at work, on a test cluster or with CLUSTER=current IMAGE=registry/name:tag on yours
	@deploy/demo

test: quick e2e-v2 ## everything that CI runs

quick: cluster check unit chart image e2e ## a third of the time: without the second node

cluster: ## start the test cluster
	$(CLUSTER_TOOL) up

check: ## format, lints, documentation and the dependencies' licenses and sources
	cargo fmt --all --check
	.ci/lint-shell
	cargo clippy --workspace --all-targets --all-features --locked -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --locked --quiet
	.ci/deny licenses bans sources

unit: ## unit, property and program tests; the reference for dumb-init passes ours, too
	.ci/install dumb-init=dumb-init docker-registry=docker-registry
	cargo test --workspace --locked --exclude rich-pouch-e2e
	DUMB_INIT=/usr/bin/dumb-init cargo test --package rich --locked --test dumb_init --test signals --test terminal

chart: ## lint the chart, and see that it refuses values that it does not know
	.ci/lint-chart

e2e: ## end-to-end tests on the test cluster, which must be up
	e2e/run

e2e-v2: ## those that are about the node, on one with control groups of version 2, which it starts
	E2E_NODE=v2 e2e/run --test machine --test initscript --test systemd --test sbin_init --test orphans \
	  --test network_policy

advisories: ## known vulnerabilities of the dependencies; needs the internet: the database is on GitHub
	.ci/deny advisories

fuzz: ## what the webhook reads from anybody and what it costs, ten minutes each target
	fuzz/run

soak: ## ten thousand orphans a minute for five minutes, on the test cluster, which must be up
	E2E_SOAK=300 e2e/run --test orphans

storm: ## a flood and the dearest pods for two minutes beside a thousand good ones, on the test cluster, which must be up
	E2E_STORM=1 e2e/run --test storm

image: ## build the image as an OCI archive in build/, and check it
	deploy/image/build
	deploy/image/check

bench: ## how much later an application starts in a rich container, and what an injection costs
	.ci/install dumb-init=dumb-init
	cargo bench --package rich --locked
	cargo bench --package rich-pouch-webhook --locked

bench-cluster: ## start and output of a systemd pod, on the test cluster, which must be up
	e2e/bench

clean: ## take away what was built here
	cargo clean
	rm -rf build
