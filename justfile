# What there is to run. `just check` is what .ci/run runs.

default:
    @just --list

# Run the service on this machine
serve *arguments:
    cargo run --package countersign -- serve {{arguments}}

# All tests
test:
    cargo test --workspace

# Formatting, lints, documentation, tests, the API, mutants
check:
    .ci/run

# The template, by its linters
infrastructure:
    infra/check

# The templates, by the rules of checkov, if that is installed
checkov:
    checkov --config-file infra/checkov.yaml

# The API, held against its description
api:
    tests/api/check

# All functions for AWS, as `sam build` does it
functions:
    sam build

# What a user deploys or runs without building it: functions, template, program, bill of materials, checksums
release:
    release/build

# Functions beside a peer in Python and a floor: cold starts, calls, CPU time, memory. As root, also at the share of 512 MB
bench *arguments:
    benches/run {{arguments}}

# What is claimed of the cost of policy, measured, and of the cost of lists, computed
bench-policy:
    cargo run --release --package countersign-bench -- policy
    cargo test --workspace --test store -- the_cost_of_lists --nocapture

# The rules by themselves, by criterion: each run says what has changed since the one before
bench-core *arguments:
    cargo bench --package countersign-bench --bench core -- {{arguments}}

# What it takes to make a page of the dashboard: CPU time
bench-pages:
    cargo run --release --package countersign-bench -- pages

# A log of a million events, verified as a whole: time and memory
bench-log:
    cargo run --release --package countersign-bench -- log

# Cold starts that people would meet, by layout of functions and traffic: a simulation
bench-traffic *arguments:
    cargo run --release --package countersign-bench -- traffic {{arguments}}

# What calls cost on stores of 1,000 to 1,000,000 requests, and sweeps of 100,000: some 10 GB of disk and half an hour
bench-scale:
    cargo run --release --package countersign-bench -- scale
    cargo run --release --package countersign-bench -- sweeps

# The tables of docs/cost.md: request units, a month on AWS, and which key becomes hot first
bench-cost:
    cargo run --release --package countersign-bench -- cost
    cargo run --release --package countersign-bench -- hot-keys
# What `countersign serve` takes: reads and decisions a second on this disk, and what each command takes
bench-serve directory=".":
    cargo build --release --package countersign --package countersign-bench
    target/release/countersign-bench serve --program target/release/countersign --directory {{directory}}
    target/release/countersign-bench commands --program target/release/countersign --directory {{directory}}

# How soon webhooks of `countersign serve` hear, while one endpoint hangs and one refuses
bench-deliveries directory=".":
    cargo build --release --package countersign --package countersign-bench
    target/release/countersign-bench deliveries --program target/release/countersign --directory {{directory}}

# The pictures of docs/dashboard.md, of requests that are made up; pngquant makes them small
pictures:
    mkdir -p docs/pictures
    COUNTERSIGN_PICTURES="$PWD/docs/pictures" cargo test --workspace --test browser -- every_page
    pngquant --force --ext .png --speed 1 --strip 128 docs/pictures/dashboard-*.png

# Pages of the dashboard, by Lighthouse
lighthouse:
    tests/browser/lighthouse

# Break guarantees on purpose and see the tests notice
mutants:
    tests/mutants/run

# Format everything
format:
    cargo fmt --all
