//! Mails as a parser of another origin reads them: headers that nothing breaks out of, and two bodies that say the same.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use countersign_chat::summary::{Ask, Fact, Quote, Row, Summary, Table, Target, Tone};
use countersign_core::digest::DeploymentKey;
use countersign_core::ids::{EventId, RequestId};
use countersign_core::origin::Origin;
use countersign_core::risk::RiskLevel;
use countersign_core::text::escaped_line;
use countersign_core::timestamp::Timestamp;
use countersign_mail::address::{MailAddress, Sender};
use countersign_mail::mail::{MAX_SUBJECT, Mail};
use mail_parser::{MessageParser, MimeHeaders as _, PartType};
use proptest::prelude::*;

const REQUEST: &str = "01930000-0000-4000-8000-0000000000bb";
const LINK: &str = "https://approvals.example.com/approvals/01930000-0000-4000-8000-0000000000bb";

fn address(text: &str) -> MailAddress {
    MailAddress::parse(text).unwrap()
}

fn sender() -> Sender {
    Sender::new(Some("Countersign, \"production\""), address("approvals@mail.example.com")).unwrap()
}

fn date() -> Timestamp {
    Timestamp::parse("2026-01-31T09:30:15.250Z").unwrap()
}

fn summary() -> Summary {
    Summary {
        event_id: EventId::parse("01930000-0000-7000-8000-0000000000aa").unwrap(),
        request_id: Some(RequestId::parse(REQUEST).unwrap()),
        source: Origin::of(&DeploymentKey::new([7; 32])),
        timestamp: date(),
        risk_level: Some(RiskLevel::High),
        target: Some(Target {
            operation: "delete_instance".to_owned(),
            instance: "prod-db-01".to_owned(),
            environment: "production",
        }),
        tone: Tone::Waiting,
        label: Some("high"),
        headline: "Approval needed: delete_instance on prod-db-01".to_owned(),
        notes: vec!["The request expires in 1 h.".to_owned()],
        ask: Some(Ask { who: vec!["bob@example.com".to_owned()], until: None }),
        facts: vec![
            Fact { name: "Status", value: "pending".to_owned() },
            Fact { name: "Duration", value: "zehn Minuten, höchstens".to_owned() },
        ],
        table: None,
        quotes: vec![Quote {
            title: "Justification".to_owned(),
            text: "moved\nto <b>new</b> & better".to_owned(),
        }],
        advice: None,
        link: Some(LINK.to_owned()),
        link_title: "What exactly will run, and where to decide:",
    }
}

fn mail(summary: &Summary, recipient: &str) -> Mail {
    Mail::of(&sender(), &address(recipient), summary, date()).unwrap()
}

/// The lines of the headers of all, unfolded.
fn headers(mail: &Mail) -> Vec<String> {
    let text = std::str::from_utf8(&mail.bytes).unwrap();
    let (headers, _) = text.split_once("\r\n\r\n").unwrap();
    headers.replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n").map(str::to_owned).collect()
}

fn header<'a>(headers: &'a [String], name: &str) -> &'a str {
    let prefix = format!("{name}: ");
    let found: Vec<_> = headers.iter().filter_map(|line| line.strip_prefix(&prefix)).collect();
    assert_eq!(found.len(), 1, "{name}");
    found[0]
}

/// The plain text and the HTML.
fn bodies(mail: &Mail) -> (String, String) {
    let message = MessageParser::default().parse(&mail.bytes).unwrap();
    let types: Vec<_> = message
        .parts
        .iter()
        .map(|part| {
            part.content_type().map(|kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap())).unwrap()
        })
        .collect();
    assert_eq!(types, ["multipart/alternative", "text/plain", "text/html"]);
    let text = |index: usize| match &message.parts[index].body {
        PartType::Text(text) | PartType::Html(text) => text.replace("\r\n", "\n"),
        _ => String::new(),
    };
    (text(1), text(2))
}

#[test]
fn a_mail_has_these_headers_and_no_others() {
    let mail = mail(&summary(), "Bob@Example.com");
    let headers = headers(&mail);
    let names: Vec<_> = headers.iter().map(|line| line.split_once(": ").unwrap().0).collect();
    assert_eq!(
        names,
        [
            "From",
            "To",
            "Date",
            "Message-ID",
            "Subject",
            "In-Reply-To",
            "References",
            "Auto-Submitted",
            "X-Auto-Response-Suppress",
            "List-Id",
            "MIME-Version",
            "Content-Type"
        ]
    );
    assert_eq!(header(&headers, "To"), "Bob@example.com");
    assert_eq!(header(&headers, "Date"), "Sat, 31 Jan 2026 09:30:15 +0000");
    assert_eq!(header(&headers, "Subject"), "[high] Approval needed: delete_instance on prod-db-01");
    assert_eq!(header(&headers, "Message-ID"), mail.message_id);
    assert_eq!(header(&headers, "References"), header(&headers, "In-Reply-To"));
    assert_eq!(header(&headers, "Auto-Submitted"), "auto-generated");
    assert_eq!(header(&headers, "X-Auto-Response-Suppress"), "All");
    assert_eq!(header(&headers, "List-Id"), "<countersign.mail.example.com>");
    let message = MessageParser::default().parse(&mail.bytes).unwrap();
    let from = message.from().unwrap().first().unwrap();
    assert_eq!(from.name(), Some("Countersign, \"production\""));
    assert_eq!(from.address(), Some("approvals@mail.example.com"));
    assert_eq!(mail.envelope_from.as_str(), "approvals@mail.example.com");
    assert_eq!(mail.recipient.as_str(), "Bob@example.com");
}

#[test]
fn both_bodies_say_the_same() {
    let (plain, html) = bodies(&mail(&summary(), "bob@example.com"));
    let expected = format!(
        "[high] Approval needed: delete_instance on prod-db-01\n\nWho should act: bob@example.com\n\
         The request expires in 1 h.\n\nStatus         pending\nDuration       zehn Minuten, höchstens\n\n\
         Justification\n  | moved\n  | to <b>new</b> & better\n\n\
         What exactly will run, and where to decide:\n{LINK}\n"
    );
    assert_eq!(plain, expected);
    for text in [
        "<h2 dir=\"auto\">[high] Approval needed: delete_instance on prod-db-01</h2>",
        "<p dir=\"auto\">Who should act: bob@example.com</p>",
        "<tr><th align=\"left\">Status</th><td dir=\"auto\">pending</td></tr>",
        "zehn Minuten, höchstens",
        "<div dir=\"auto\">| to &lt;b&gt;new&lt;/b&gt; &amp; better</div>",
        &format!("<a href=\"{LINK}\">{LINK}</a>"),
    ] {
        assert!(html.contains(text), "{text} in {html}");
    }
}

#[test]
fn a_retry_has_the_same_bytes_and_each_recipient_a_mail_of_their_own() {
    let first = mail(&summary(), "bob@example.com");
    assert_eq!(first, mail(&summary(), "bob@example.com"));
    let other = mail(&summary(), "cid@example.com");
    assert_ne!(first.message_id, other.message_id);
    let references = |mail: &Mail| header(&headers(mail), "References").to_owned();
    assert_ne!(references(&first), references(&other));
    let mut later = summary();
    later.event_id = EventId::parse("01930000-0000-7000-8000-0000000000ab").unwrap();
    let later = mail(&later, "bob@example.com");
    assert_ne!(first.message_id, later.message_id);
    assert_eq!(references(&first), references(&later));
    let elsewhere = RequestId::parse("01930000-0000-4000-8000-0000000000cc").unwrap();
    let elsewhere = mail(&Summary { request_id: Some(elsewhere), ..summary() }, "bob@example.com");
    assert_ne!(references(&first), references(&elsewhere));
}

#[test]
fn ids_name_the_domain_of_the_sender_and_not_the_recipient() {
    let mail = mail(&summary(), "bob@example.com");
    for id in [mail.message_id.clone(), header(&headers(&mail), "References").to_owned()] {
        let (digits, domain) =
            id.strip_prefix('<').unwrap().strip_suffix('>').unwrap().split_once('@').unwrap();
        assert_eq!(domain, "mail.example.com");
        assert!(digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit()), "{digits}");
    }
}

#[test]
fn a_mail_about_no_request_begins_its_own_thread() {
    let headers = headers(&mail(&Summary { request_id: None, ..summary() }, "bob@example.com"));
    assert!(!headers.iter().any(|line| line.starts_with("References") || line.starts_with("In-Reply-To")));
}

#[test]
fn a_subject_is_short_as_it_is_transmitted() {
    for (headline, expected) in [
        ("a".repeat(71), format!("[high] {}", "a".repeat(71))),
        ("a".repeat(72), format!("[high] {}... [cut]", "a".repeat(62))),
        ("a\r\nBcc: eve@example.com".to_owned(), "[high] a\\r\\nBcc: eve@example.com".to_owned()),
        ("=?utf-8?q?=0D=0A?=".to_owned(), "[high] = ?utf-8?q?=0D=0A?=".to_owned()),
        ("für Köln".to_owned(), "[high] für Köln".to_owned()),
    ] {
        let mail = mail(&Summary { headline, ..summary() }, "bob@example.com");
        let message = MessageParser::default().parse(&mail.bytes).unwrap();
        assert_eq!(message.subject(), Some(expected.as_str()));
    }
}

#[test]
fn a_long_text_is_cut_and_says_so() {
    let quotes = |text: String| vec![Quote { title: "Justification".to_owned(), text }];
    let whole = "\u{1f600}".repeat(4000);
    let (plain, html) =
        bodies(&mail(&Summary { quotes: quotes(whole.clone()), ..summary() }, "bob@example.com"));
    assert!(plain.contains(&whole) && html.contains(&whole));
    let hidden = "\u{202e}".repeat(4000);
    let (plain, html) = bodies(&mail(&Summary { quotes: quotes(hidden), ..summary() }, "bob@example.com"));
    for body in [plain, html] {
        assert!(body.contains("[cut here: the whole text is with the request]") && body.len() < 12_000);
    }
}

#[test]
fn a_link_that_is_none_is_not_shown() {
    let link = Some("javascript:alert(1)".to_owned());
    let (plain, html) = bodies(&mail(&Summary { link, ..summary() }, "bob@example.com"));
    assert!(!plain.contains("javascript") && !html.contains("<a "));
}

/// The tags of a document, each once.
fn tags(html: &str) -> Vec<String> {
    let mut tags: Vec<_> = html
        .split('<')
        .skip(1)
        .map(|rest| rest.split(['>', ' ']).next().unwrap().trim_start_matches('/').to_owned())
        .collect();
    tags.sort();
    tags.dedup();
    tags
}

const TAGS: &[&str] = &[
    "!DOCTYPE",
    "a",
    "blockquote",
    "body",
    "br",
    "div",
    "h2",
    "h3",
    "head",
    "html",
    "meta",
    "p",
    "table",
    "td",
    "th",
    "title",
    "tr",
];

fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "\r\nBcc: eve@example.com\r\n\r\nbody",
        "\n--=_boundary\r\nContent-Type: text/html\r\n\r\n<script>",
        "\n.\r\n",
        "\nFrom eve",
        "=?utf-8?b?DQpCY2M6IGVAZS5leA==?=",
        "=0D=0A",
        "<script>alert(1)</script>",
        "<img src=https://evil.example/i.png>",
        "\" style=\"x",
        "' onclick='x",
        "</blockquote></body>",
        "&lt;&#60;",
        "\u{202e}\u{2066}\u{200b}\u{1b}[2J\0",
        "\u{85}\u{2028}\u{b}\u{c}",
        "\u{1f600}\u{4e2d}\u{5d0}",
        "e\u{301}\u{301}\u{301}\u{301}\u{301}",
        " ",
        "word",
    ]);
    let piece = prop_oneof![3 => pieces.prop_map(str::to_owned), 1 => "\\PC{1,30}", 1 => any::<String>()];
    prop::collection::vec(piece, 1..20).prop_map(|pieces| format!("x{}", pieces.concat()))
}

#[test]
fn a_table_has_columns_in_both_bodies_and_names_in_it_are_only_names() {
    let row = |name: &str, figures: [u64; 2]| Row { name: name.to_owned(), figures: figures.to_vec() };
    let table = Table {
        title: "By person",
        columns: vec!["requested", "approved"],
        rows: vec![
            row("ann@example.com", [12, 0]),
            row("<script>x</script>\n\u{202e}", [1, 20]),
            row(&"x".repeat(300), [0, 1]),
        ],
    };
    let (plain, html) = bodies(&mail(&Summary { table: Some(table), ..summary() }, "bob@example.com"));
    let lines: Vec<&str> = plain.lines().collect();
    let place = lines.iter().position(|line| line.starts_with("By person")).unwrap();
    let column = lines[place].find("requested").unwrap() + "requested".len();
    for (line, figure) in lines[place + 1..place + 4].iter().zip(["12", "1", "0"]) {
        assert!(line.get(..column).is_some_and(|part| part.ends_with(figure)), "{line}");
    }
    assert!(plain.contains("<script>x</script>\\n\\u{202e}"), "{plain}");
    assert!(html.contains("&lt;script&gt;x&lt;/script&gt;\\n\\u{202e}"), "{html}");
    assert!(!html.contains("<script") && !html.contains(&"x".repeat(100)), "{html}");
    assert!(
        html.contains("<th align=\"right\">requested</th>") && html.contains("<td align=\"right\">12</td>")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn nothing_that_is_written_breaks_out(headline in hostile(), text in hostile(), times in 1_usize..60) {
        let long = text.repeat(times);
        let mut hostile = summary();
        hostile.headline.clone_from(&headline);
        hostile.notes = vec![text.clone()];
        hostile.ask = Some(Ask { who: vec![text.clone()], until: None });
        hostile.facts[0].value.clone_from(&text);
        hostile.quotes = vec![Quote { title: text.clone(), text: long }];
        hostile.advice = Some(text);
        let mail = mail(&hostile, "bob@example.com");

        // The wire: ASCII, whole line ends, short lines.
        prop_assert!(mail.bytes.is_ascii());
        let wire = std::str::from_utf8(&mail.bytes).unwrap();
        prop_assert_eq!(wire.matches('\n').count(), wire.matches("\r\n").count());
        prop_assert_eq!(wire.matches('\r').count(), wire.matches("\r\n").count());
        prop_assert!(wire.split("\r\n").all(|line| line.len() <= 998 && !line.contains('\0')));

        // The headers: those of ours, and a subject that reads back.
        let headers = headers(&mail);
        prop_assert_eq!(headers.len(), 12);
        let subject = header(&headers, "Subject");
        prop_assert!(subject.chars().count() <= MAX_SUBJECT, "{subject}");
        let message = MessageParser::default().parse(&mail.bytes).unwrap();
        let title = escaped_line(&format!("[high] {headline}").replace("=?", "= ?"));
        let shown = message.subject().unwrap();
        let kept = shown.strip_suffix("... [cut]").unwrap_or(shown);
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>().concat();
        prop_assert!(words(&title).starts_with(&words(kept)), "{title:?} {shown:?}");
        prop_assert!(message.bcc().is_none());

        // The bodies: two, with nothing hidden in them and tags of ours alone.
        let (plain, html) = bodies(&mail);
        for body in [&plain, &html] {
            prop_assert!(!body.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{body:?}");
        }
        prop_assert!(tags(&html).iter().all(|tag| TAGS.contains(&tag.as_str())), "{:?}", tags(&html));
        let attributes = ["lang=\"en\"", "charset=\"utf-8\"", "dir=\"auto\"", "align=\"left\"", &format!("href=\"{LINK}\"")];
        let quotes = attributes.iter().fold(html, |rest, attribute| rest.replace(attribute, ""));
        prop_assert!(!quotes.contains('"') && !quotes.contains('\''));
    }
}
