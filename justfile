# The recipes of a working day. A bare `just` lists them.

[private]
default:
    @just --list --unsorted

# Everything that a change must pass: format, lints, tests
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo test --workspace

# Runs the tests, or those whose names contain NAME
test name="":
    cargo test --workspace -- {{ quote(name) }}

# Writes the OpenAPI documents anew from the handlers
openapi:
    UPDATE_OPENAPI=1 cargo test -p claviger-tests openapi

# Starts Claviger on an SQLite file in ./claviger-data; the first start prints the bootstrap key
dev *arguments:
    cargo run -- {{ arguments }}

# Applies the schema changes that the database lacks, and ends
migrate:
    cargo run -- migrate

# Measures: creates per second beside bare SeaORM, lists and reads as rows grow, the surfaces beside each other, start-up; then as `bench-gateway`
bench: && bench-gateway
    cargo build --release
    cargo bench -p claviger-tests --bench partner

# Measures verification: calls per second beside bare axum, the engine in process, loading, guessing (needs `wrk`)
bench-gateway *parts:
    cargo build --release
    cargo bench -p claviger-tests --bench gateway -- {{ parts }}

# Exports and verifies an audit log of a million entries, and looks for what was touched in it
bench-audit *entries:
    cargo build --release
    cargo bench -p claviger-tests --bench audit -- {{ entries }}

# Measures the analytics question on a year of figures of ten thousand keys
bench-analytics:
    cargo bench -p claviger-tests --bench analytics

# Half of what the server can do for an hour, or MINUTES: one line a minute, and whether the last ten are as the first
soak minutes="60":
    cargo build --release
    cargo bench -p claviger-tests --bench gateway -- soak {{ minutes }}

# Runs the engine's locks and counters in every order its threads can get to them
loom:
    CARGO_TARGET_DIR=target/loom RUSTFLAGS="--cfg loom" cargo test -p claviger-engine --lib loom

# Kills the server fifty times in the middle of a stream of creates, and looks at what is left
kill:
    CLAVIGER_TEST_KILLS=50 cargo test -p claviger-server --test process -- --nocapture kill::what_was_answered

# Kills the server 200 times in the middle of verifications, and holds its database for a minute, twice
kill-gateway:
    CLAVIGER_TEST_KILLS=200 CLAVIGER_TEST_LOCK_SECONDS=60 cargo test -p claviger-server --test process -- --nocapture gateway_kill

# Lets every system call of every kind of change fail once, or COUNT of each kind of call and fault, and compares what was answered with what is stored
faults count="0" name="faults":
    CLAVIGER_TEST_FAULTS={{ count }} cargo test -p claviger-server --test process -- --nocapture --test-threads=2 {{ name }}

# Revokes 1,000 keys while they are used, and looks whether one passes afterwards
revoke:
    CLAVIGER_TEST_REVOCATIONS=1000 cargo test -p claviger-server --test process -- --nocapture gateway_revoke

# One tenant at its worst on every surface, and what another one's calls take beside it and alone
fairness rounds="300":
    CLAVIGER_TEST_FAIRNESS_ROUNDS={{ rounds }} cargo test --release -p claviger-server --test process -- --nocapture fairness

# Licences, advisories, banned and doubled crates (needs `cargo install cargo-deny`)
deny:
    cargo deny --workspace --config .cargo/deny.toml check
