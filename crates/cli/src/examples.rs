//! Examples of each command, for its help and its manual page. A test parses every one.

/// `countersign serve`.
pub const SERVE: &str = "Examples:
  countersign serve
  countersign serve --listen 127.0.0.1:9443 --tls-cert chain.pem --tls-key key.pem --policy-dir policy";
/// `countersign token`.
pub const TOKEN: &str = "Examples:
  countersign token ann@example.com
  countersign token bob@example.com --groups approver --ttl 1h > bob.token";
/// `countersign create`.
pub const CREATE: &str = "Examples:
  countersign create reboot production-db-01 -e production -m 'it hangs'
  countersign create modify_storage orders-db -e production -m 'the disk is nearly full' -p @parameters.json --wait 2h
  countersign create reboot dev-db-01 -e non-production -m 'it hangs' -o id";
/// `countersign simulate`.
pub const SIMULATE: &str = "Examples:
  countersign simulate reboot production-db-01 -e production -m 'what would it take?'";
/// `countersign list`.
pub const LIST: &str = "Examples:
  countersign list
  countersign list --status pending,approved --risk high --environment production
  countersign list --status rejected,expired --from 2026-01-01 --to 2026-01-31 --local
  countersign list --all -o id";
/// `countersign get`.
pub const GET: &str = "Examples:
  countersign get 0193a5c2
  countersign get 0193a5c2 77e1b2f0 --json
  countersign get 0193a5c2 --wait 2h";
/// `countersign wait`.
pub const WAIT: &str = "Examples:
  countersign wait 0193a5c2
  countersign wait 0193a5c2 --wait-timeout 2h && ./resize.sh";
/// `countersign explain`.
pub const EXPLAIN: &str = "Examples:
  countersign explain 0193a5c2";
/// `countersign approve`.
pub const APPROVE: &str = "Examples:
  countersign approve 0193a5c2
  countersign approve 0193a5c2 77e1b2f0 --yes -m 'the metrics show it'";
/// `countersign reject`.
pub const REJECT: &str = "Examples:
  countersign reject 0193a5c2 --reason 'not during the sale'";
/// `countersign inbox`.
pub const INBOX: &str = "Examples:
  countersign inbox
  countersign inbox --filter production --continuous";
/// `countersign hold`.
pub const HOLD: &str = "Examples:
  countersign hold 0193a5c2
  countersign hold 0193a5c2 --minutes 30 --take";
/// `countersign gate`.
pub const GATE: &str = "Examples:
  countersign gate --server files -- npx -y @modelcontextprotocol/server-filesystem /srv/files
  countersign gate --config gate.toml --upstream https://tools.example.com/mcp
  countersign gate --config gate.toml --listen 127.0.0.1:9200 -- ./server
  countersign gate status --config gate.toml
  countersign gate accept write_file --config gate.toml";
/// `countersign hook`.
pub const HOOK: &str = "Examples:
  countersign hook install --agent claude --profile agent --dry-run
  countersign hook check --agent claude
  countersign hook --agent claude --limit 310 < input.json
  countersign hook --agent claude --event post < input.json";
/// `countersign release`.
pub const RELEASE: &str = "Examples:
  countersign release 0193a5c2";
/// `countersign withdraw`.
pub const WITHDRAW: &str = "Examples:
  countersign withdraw 0193a5c2 --reason 'the replica is behind'";
/// `countersign cancel`.
pub const CANCEL: &str = "Examples:
  countersign cancel 0193a5c2 --reason 'it came back by itself'";
/// `countersign comment`.
pub const COMMENT: &str = "Examples:
  countersign comment 0193a5c2 'who is on call tonight?'";
/// `countersign events`.
pub const EVENTS: &str = "Examples:
  countersign events 0193a5c2
  countersign events 0193a5c2 --json | jq .verified";
/// `countersign audit`.
pub const AUDIT: &str = "Examples:
  countersign audit list --from 2026-01-01 --user bob@example.com
  countersign audit list --event-type APPROVAL_REJECTED,APPROVAL_WITHDRAWN --newest-first
  countersign audit list --all --instance-id production-db-01 --json > events.jsonl
  countersign audit tail --event-type EXECUTION_STARTED
  countersign audit stats --from 2026-01-01 --group-by operation
  countersign audit verify --all --log ./log --key jwks.json
  countersign audit monitor https://approvals.example.com --key jwks.json --state checkpoint
  countersign audit population --from 2026-01-01 --to 2026-04-01 --log ./log --key jwks.json --file q1.csv
  countersign audit population --check q1.csv --log ./log --key jwks.json
  countersign audit export --format ocsf --log ./log --key jwks.json --from 2026-01-01 --file events.jsonl";
/// `countersign report`.
pub const REPORT: &str = "Examples:
  countersign report daily
  countersign report weekly --date 2026-01-31
  countersign report monthly --json | jq .alerts";
/// `countersign evidence`.
pub const EVIDENCE: &str = "Examples:
  countersign evidence 0193a5c2 --file evidence.json
  countersign evidence 0193a5c2 --redacted > evidence.json
  countersign evidence verify evidence.json --key jwks.json --require-inclusion";
/// `countersign start`.
pub const START: &str = "Examples:
  countersign start 0193a5c2
  countersign start 0193a5c2 --json | jq -r .execution_id";
/// `countersign execution`.
pub const EXECUTION: &str = "Examples:
  countersign execution 0193a5c2
  countersign execution 0193a5c2 --permit permit.jws";
/// `countersign claim`.
pub const CLAIM: &str = "Examples:
  countersign claim 0193a5c2 --permit permit.jws";
/// `countersign observe`.
pub const OBSERVE: &str = "Examples:
  countersign observe 0193a5c2 --target @instance.json";
/// `countersign finish`.
pub const FINISH: &str = "Examples:
  countersign finish 0193a5c2 succeeded
  countersign finish 0193a5c2 running
  countersign finish 0193a5c2 failed --result @result.json --actual-cost 12.5";
/// `countersign run`.
pub const RUN: &str = "Examples:
  countersign run -- ./migrate.sh --fast
  countersign run --instance orders-db -m 'the index is missing' --env-secret PGPASSWORD -- psql -f index.sql
  countersign run --wait-timeout 30m --report report.json -- terraform apply plan.out";
/// `countersign mcp`.
pub const MCP: &str = "Examples:
  countersign mcp --token-file agent.token
  countersign mcp --http 127.0.0.1:9100 --issuer https://id.example.com --caller deploy-bot@example.com";
/// `countersign executor`.
pub const EXECUTOR: &str = "Examples:
  countersign executor --rds --allow-arn 'arn:aws:rds:eu-central-1:123456789012:db:test-*'
  countersign executor --name network --operations open_port,close_port -- /usr/local/bin/network-executor
  countersign executor --operations restart_queue --once -- python3 restart_queue.py";
/// `countersign operations`.
pub const OPERATIONS: &str = "Examples:
  countersign operations
  countersign operations --policy-dir policy --json";
/// `countersign whoami`.
pub const WHOAMI: &str = "Examples:
  countersign whoami";
/// `countersign notifications`.
pub const NOTIFICATIONS: &str = "Examples:
  countersign notifications
  countersign notifications set --channels mail --quiet-hours 'mon-fri 18:00-08:00 Europe/Vienna'
  countersign notifications set --mute COMMENT_ADDED --digest 'daily@08:00 Europe/Vienna'
  countersign notifications set --clear quiet_hours
  countersign notifications --json | jq .said > settings.json
  countersign notifications set settings.json
  countersign notifications set --reset";
/// `countersign notify`.
pub const NOTIFY: &str = "Examples:
  countersign notify preview 0193a5c2";
/// `countersign dashboard`.
pub const DASHBOARD: &str = "Examples:
  countersign dashboard
  countersign dashboard --no-browser";
/// `countersign login`.
pub const LOGIN: &str = "Examples:
  countersign login --profile prod";
/// `countersign logout`.
pub const LOGOUT: &str = "Examples:
  countersign logout --profile prod";
/// `countersign config`.
pub const CONFIG: &str = "Examples:
  countersign config set-profile prod --url https://approvals.example.com
  countersign config use prod";
/// `countersign doctor`.
pub const DOCTOR: &str = "Examples:
  countersign doctor
  countersign doctor --profile prod --json";
/// `countersign policy`.
pub const POLICY: &str = "Examples:
  countersign policy check policy --deny-warnings
  countersign policy test policy";
/// `countersign outbox`.
pub const OUTBOX: &str = "Examples:
  countersign outbox list
  countersign outbox replay --all --table approvals-outbox-prod";
/// `countersign webhooks`.
pub const WEBHOOKS: &str = "Examples:
  countersign webhooks create https://hooks.example.com/countersign --statuses approved,rejected -m 'change calendar'
  countersign webhooks test wh_0193a5c2
  countersign webhooks deliveries wh_0193a5c2 --status dead,skipped
  countersign webhooks redeliver wh_0193a5c2 --from 2026-01-31T08:00:00Z
  countersign webhooks rotate wh_0193a5c2 --overlap 2d";
/// `countersign permit`.
pub const PERMIT: &str = "Examples:
  countersign permit verify permit.txt --key jwks.json --audience rds
  countersign permit verify - --key jwks.json --parameters parameters.json --at 2026-01-01T12:00:00.000Z --json";
/// `countersign key`.
pub const KEY: &str = "Examples:
  countersign key list
  countersign key rotate --data-dir ./countersign-data
  countersign key rotate --environment prod";
/// `countersign verify`.
pub const VERIFY: &str = "Examples:
  countersign verify 0193a5c2
  countersign verify --all --data-dir ./countersign-data --published serve.log
  countersign verify --log ./countersign-data/log --key jwks.json";
/// `countersign completions`.
pub const COMPLETIONS: &str = "Examples:
  countersign completions bash > ~/.local/share/bash-completion/completions/countersign";
/// `countersign man`.
pub const MAN: &str = "Examples:
  countersign man | man -l -
  countersign man approve
  countersign man --out ~/.local/share/man/man1";
