# The commands of a developer. `make demo` and `make test` are all that a newcomer needs.
CLUSTER_TOOL := e2e/cluster/cluster
export CARGO_TERM_COLOR ?= auto

.PHONY: help demo test check unit chart e2e e2e-v2 image cluster bench bench-cluster clean

help: ## say what there is
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

demo: ## show it at work, on a test cluster or with CLUSTER=current IMAGE=registry/name:tag on yours
	@deploy/demo

test: cluster check unit chart image e2e ## everything that CI runs

cluster: ## start the test cluster
	$(CLUSTER_TOOL) up

check: ## format, lints and documentation
	cargo fmt --all --check
	.ci/lint-shell
	cargo clippy --workspace --all-targets --all-features --locked -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --locked --quiet

unit: ## unit, property and program tests; the reference for dumb-init passes ours, too
	.ci/install dumb-init=dumb-init
	cargo test --workspace --locked --exclude rich-pouch-e2e
	DUMB_INIT=/usr/bin/dumb-init cargo test --package rich --locked --test dumb_init --test signals --test terminal

chart: ## lint the chart, and see that it refuses values that it does not know
	.ci/lint-chart

e2e: ## end-to-end tests on the test cluster, which must be up
	e2e/run

e2e-v2: ## end-to-end tests on a node with control groups of version 2, which it starts
	WITH_V2_NODE=1 e2e/run --test v2

image: ## build the image as an OCI archive in build/, and check it
	deploy/image/build
	deploy/image/check

bench: ## how much later an application starts in a rich container
	.ci/install dumb-init=dumb-init
	cargo bench --package rich --locked

bench-cluster: ## start and output of a systemd pod, on the test cluster, which must be up
	e2e/bench

clean: ## take away what was built here
	cargo clean
	rm -rf build
