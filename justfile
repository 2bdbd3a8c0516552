# What there is to run. `just check` is what .ci/run runs.

default:
    @just --list

# Run the service on this machine
serve *arguments:
    cargo run --package countersign -- serve {{arguments}}

# All tests
test:
    cargo test --workspace

# Formatting, lints, documentation, tests, deliberate breakages
check:
    .ci/run

# Break guarantees on purpose and see the tests notice
breakages:
    tests/breakages/run

# Format everything
format:
    cargo fmt --all
