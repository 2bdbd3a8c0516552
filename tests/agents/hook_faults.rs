//! Trouble of a hook: whatever happens, an agent that understands its hook is refused.

use crate::hook::{Place, commands, reads};
use crate::hook_rows::{AGENTS, Row, is_silent, row};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// An input with one argument of this many bytes.
fn sized(bytes: usize) -> Value {
    json!({ "tool": "Read", "arguments": { "path": "x".repeat(bytes) }, "cwd": "/srv", "session": "s" })
}

#[test]
fn an_input_that_is_not_what_the_agent_documents_is_refused() {
    let place = Place::new();
    for agent in AGENTS {
        let good = commands(agent).to_string();
        let twice = good.replacen('{', "{\"cwd\": \"/srv/other\", ", 1);
        let inner = good.replacen("{\"command\"", "{\"command\":\"true\",\"command\"", 1);
        let escaped = good.replacen("{\\\"command\\\"", "{\\\"command\\\":\\\"true\\\",\\\"command\\\"", 1);
        assert!(agent == "copilot" || inner != good, "{agent}");
        assert!(agent != "copilot" || escaped != good);
        let inner = if agent == "copilot" { escaped } else { inner };
        let lone = good.replacen("terraform", "\\ud800", 1);
        let huge = good.replacen("terraform", &"x".repeat(2 * 1024 * 1024), 1);
        let large = good.replacen("terraform", &"x".repeat(70 * 1024), 1);
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let number = good.replacen('{', "{\"x\": 9007199254740993, ", 1);
        for (what, input) in [
            ("nothing", ""),
            ("no JSON", "hello"),
            ("half of it", &good[..good.len() / 2]),
            ("a list", "[]"),
            ("an empty object", "{}"),
            ("two documents", &format!("{good}{good}")),
            ("a member twice", &twice),
            ("an argument twice", &inner),
            ("a lone surrogate", &lone),
            ("a number that is not exact", &number),
            ("deep nesting", &deep),
            ("too large", &huge),
            ("arguments too large", &large),
            ("a byte order mark", &format!("\u{feff}{good}")),
        ] {
            let output = place.hook(&["--agent", agent, "--limit", "20"], input.as_bytes());
            let reason = row(agent, &output).refused();
            assert!(!reason.contains("terraform"), "{agent} {what}: {reason}");
            assert!(!reason.contains("approval_pending"), "{agent} {what}: {reason}");
        }
        let output = place.hook(&["--agent", agent, "--limit", "20"], b"{\"tool\": \"\xff\"}");
        row(agent, &output).refused();
        for member in commands(agent).as_object().unwrap().keys() {
            let mut odd = commands(agent);
            odd[member] = json!([{}]);
            let output =
                place.hook(&["--agent", agent, "--limit", "6", "--check"], odd.to_string().as_bytes());
            let is_read = row(agent, &output).refused().contains("hook_checked");
            let is_unread =
                ["turn_id", "model", "generation_id", "timestamp", "cursor_version", "user_email"];
            assert!(
                !is_read || is_unread.contains(&member.as_str()) || is_harmless(agent, member),
                "{agent} {member}"
            );
        }
    }
    assert_eq!(place.requests(), Vec::<Value>::new());
}

/// Members that a hook does not look at before a use.
fn is_harmless(agent: &str, member: &str) -> bool {
    matches!((agent, member), ("cursor", "session_id") | ("copilot", "timestamp"))
}

#[test]
fn what_has_happened_already_is_not_let_through_by_the_event_before() {
    let place = Place::new();
    for agent in AGENTS {
        let (_, after) = reads(agent);
        let output = place.hook(&["--agent", agent, "--limit", "6"], after.to_string().as_bytes());
        row(agent, &output).refused();
        let post = place.hook(&["--agent", agent, "--event", "post"], b"not JSON");
        is_silent(agent, &post);
        assert!(String::from_utf8_lossy(&post.stderr).contains("is not reported as usual"), "{agent}");
    }
}

#[test]
fn sixty_four_kibibytes_are_the_most_and_are_never_cut() {
    let place = Place::new();
    // What is around the argument.
    let around = json!({ "agent": "generic", "tool": "Read", "arguments": { "path": "" }, "cwd": "/srv", "session": "s" });
    let room = 65_536 - around.to_string().len();
    assert_eq!(place.asks("generic", &sized(room)), Row::Go);
    let request = place.only_request();
    assert_eq!(request["parameters"]["arguments"]["path"].as_str().unwrap().len(), room);
    let reason = place.asks("generic", &sized(room + 1)).refused();
    assert!(reason.contains("arguments_too_large"), "{reason}");
    assert_eq!(place.requests().len(), 1);
}

#[test]
fn hostile_text_reaches_approvers_as_it_is_and_a_terminal_escaped() {
    let place = Place::new();
    let command = "rm -rf /\u{202e}\u{200b}\u{7}\u{1b}[2J\nyes\u{2028}";
    for agent in AGENTS {
        let mut input = commands(agent);
        let (name, value) = match agent {
            "copilot" => ("toolArgs", json!(json!({ "command": command }).to_string())),
            "opencode" | "generic" => ("arguments", json!({ "command": command })),
            _ => ("tool_input", json!({ "command": command })),
        };
        input[name] = value;
        // `row` looks for what must be escaped.
        place.asks(agent, &input).refused();
        let requests = place.requests();
        let request = requests.iter().find(|request| request["parameters"]["agent"] == agent).unwrap();
        assert_eq!(request["parameters"]["arguments"]["command"], command, "{agent}");
        let member = if agent == "copilot" {
            "toolName"
        } else if ["opencode", "generic"].contains(&agent) {
            "tool"
        } else {
            "tool_name"
        };
        for tool in ["Bash\u{202e}", "Bash\n", "Bash ", "ba sh", "Вash", &"x".repeat(200)] {
            input[member] = json!(tool);
            let reason = place.asks(agent, &input).refused();
            assert!(reason.contains("tool_name_unsupported"), "{agent}: {reason}");
        }
    }
    assert_eq!(place.requests().len(), AGENTS.len());
}

#[test]
fn a_service_that_is_down_does_not_know_the_token_or_is_another_is_a_refusal() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let place = Place::new();
    let person = place.service.token("ann@example.com", &["developer"]);
    let down = Place::new().with("COUNTERSIGN_URL", &closed);
    let unknown = Place::new().with("COUNTERSIGN_TOKEN", "a.b.c");
    let human = place.with("COUNTERSIGN_TOKEN", &person);
    let odd = Place::new().with("COUNTERSIGN_URL", "nonsense://");
    let homeless = Place::new().with("HOME", "");
    for agent in AGENTS {
        for (place, code) in [
            (&down, "service_unavailable"),
            (&unknown, "unauthenticated"),
            (&human, "human_token"),
            (&odd, ""),
            (&homeless, "hook_unusable"),
        ] {
            let (before, after) = reads(agent);
            let output = place.hook(&["--agent", agent, "--limit", "20"], before.to_string().as_bytes());
            let reason = row(agent, &output).refused();
            assert!(reason.contains(code), "{agent} {code}: {reason}");
            assert!(!reason.contains(&person), "{reason}");
            let after = place.hook(&["--agent", agent, "--event", "post"], after.to_string().as_bytes());
            is_silent(agent, &after);
            // Of a use that was refused there is nothing to report, if the records can be read.
            let is_said = ["", "hook_unusable"].contains(&code);
            let lines = String::from_utf8_lossy(&after.stderr).lines().count();
            assert_eq!(lines, usize::from(is_said), "{agent} {code}");
        }
    }
    assert_eq!(human.requests(), Vec::<Value>::new());
    let as_human = human.hook(&["--agent", "claude", "--as-human"], reads("claude").0.to_string().as_bytes());
    assert_eq!(row("claude", &as_human), Row::Go);
    assert_eq!(human.only_request()["requested_by"], "ann@example.com");
}

#[test]
fn a_service_that_never_answers_is_a_refusal_before_the_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let streams: Vec<_> = listener.incoming().take(100).collect();
        drop(streams);
    });
    let place = Place::new().with("COUNTERSIGN_URL", &url);
    for agent in AGENTS {
        let began = Instant::now();
        let output = place.hook(&["--agent", agent, "--limit", "6"], commands(agent).to_string().as_bytes());
        assert!(began.elapsed() < Duration::from_secs(6), "{agent}: {:?}", began.elapsed());
        assert!(row(agent, &output).refused().contains("service_unavailable"), "{agent}");
    }
}

#[test]
fn an_agent_that_does_not_end_its_input_is_refused_before_its_limit() {
    let place = Place::new();
    for agent in ["claude", "generic"] {
        let mut child = place.start(&["--agent", agent, "--limit", "6"]);
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(commands(agent).to_string().as_bytes()).unwrap();
        row(agent, &child.wait_with_output().unwrap()).refused();
        drop(stdin);
    }
}

#[test]
fn a_killed_hook_leaves_a_request_that_the_next_one_goes_on_with() {
    let place = Place::new();
    let input = commands("copilot").to_string();
    let mut first = place.send(&["--agent", "copilot", "--limit", "60"], input.as_bytes());
    let request = place.asked();
    first.kill().unwrap();
    assert_eq!(first.wait().unwrap().signal(), Some(9));
    let mut stdout = String::new();
    first.stdout.unwrap().read_to_string(&mut stdout).unwrap();
    assert_eq!(stdout, "", "half an answer is none");
    place.approve(&request);
    let output = place.hook(&["--agent", "copilot", "--limit", "20"], input.as_bytes());
    assert_eq!(row("copilot", &output), Row::Go);
    assert_eq!(place.only_request()["request_id"], request["request_id"]);
}

#[test]
fn an_answer_that_cannot_be_written_takes_the_start_back() {
    let place = Place::new();
    for (agent, count) in [("claude", 1), ("copilot", 2)] {
        let mut child = place.start(&["--agent", agent, "--limit", "20"]);
        drop(child.stdout.take());
        child.stdin.take().unwrap().write_all(reads(agent).0.to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("could not be written"), "{output:?}");
        let requests = place.requests();
        assert_eq!(requests.len(), count);
        assert_eq!(requests[0]["status"], "failed", "{}", requests[0]);
        assert_eq!(requests[0]["execution_result"]["error"], "not_run");
    }
    // Nowhere is where no agent reads.
    let nowhere = Command::new(crate::hook::BINARY)
        .args(["hook", "--agent", "claude"])
        .env_clear()
        .envs(&place.variables)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(nowhere.status.code(), Some(2));
}

#[test]
fn words_that_make_no_sense_are_a_refusal_too() {
    let place = Place::new();
    let input = reads("claude").0.to_string();
    for agent in AGENTS {
        for words in [
            &["--agent", agent, "--limt", "3"][..],
            &["--agent", agent, "--limit", "0"],
            &["--agent", agent, "--limit", "x\u{1b}[2J\n"],
            &["--agent", agent, "--tools", "/nonexistent"],
            &["--agent", agent, "--profile", "nowhere"],
            &["--agent", agent, "--environment", "moon"],
            &["--agent", agent, "surplus"],
            &["--limt", "--agent", agent],
            &["--agent", agent, "--help"],
            &["-h", "--agent", agent],
            &["--agent", agent, "-V"],
            &["--agent", agent, "--tools", "/dev/null", "--no-tools"],
        ] {
            row(agent, &place.hook(words, input.as_bytes())).refused();
        }
        let post = ["--agent", agent, "--event", "post", "--limt"];
        is_silent(agent, &place.hook(&post, input.as_bytes()));
    }
    // Of an agent that is not known the form is not known either; exit 2 is a refusal to most.
    for words in [&["--agent", "claud"][..], &[], &["--agent"]] {
        let output = place.hook(words, input.as_bytes());
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{words:?}");
    }
    let help = place.run(&["hook", "--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&help.stdout).contains("--agent"));
    // A shell's question is not answered to an agent.
    let asked = Place::new().with("COMPLETE", "bash");
    assert_eq!(asked.asks("claude", &reads("claude").0), Row::Go);
}

#[test]
fn tools_that_others_could_change_lower_nothing() {
    let place = Place::new();
    let path = place.home.path().join("tools.toml");
    std::fs::write(&path, "[agents.claude]\nBash = \"read_file\"\n").unwrap();
    let words = ["--agent", "claude", "--limit", "6", "--tools", path.to_str().unwrap()];
    let input = commands("claude").to_string();
    let asks = || row("claude", &place.hook(&words, input.as_bytes()));
    for (mode, code) in [(0o666, "hook_unusable"), (0o602, "hook_unusable")] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        assert!(asks().refused().contains(code), "{mode:o}");
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(asks(), Row::Go, "the operator's own word");
    std::fs::write(&path, "[tools]\nBash = \"\"\n").unwrap();
    assert!(asks().refused().contains("hook_unusable"));
}

#[test]
fn the_state_is_the_agents_alone() {
    let place = Place::new();
    place.asks("claude", &commands("claude")).refused();
    let directory = place.home.path().join(".local/state/countersign/hook");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    for file in std::fs::read_dir(&directory).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o755)).unwrap();
    place.asks("claude", &reads("claude").0).refused();
}
