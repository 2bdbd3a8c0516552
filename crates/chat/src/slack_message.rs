//! A summary as Slack shows it: blocks, and a text for notifications and for readers of screens.
//!
//! Whatever is not a constant of ours stands in `plain_text`, in which Slack formats nothing and makes no emoji of names
//! between colons; `&`, `<` and `>` are escaped there too, since mentions and links begin with them
//! (<https://docs.slack.dev/messaging/formatting-message-text>). Nothing in a message can be pressed.

use crate::cut;
use crate::link::web_link;
use crate::summary::{Fact, Quote, Summary};
use serde_json::{Value, json};

/// The most characters of a text. Slack takes 3,000
/// (<https://docs.slack.dev/reference/block-kit/composition-objects/text-object>), and does not say what it counts:
/// the units of UTF-16 of the escaped text are counted here, which are the most.
pub(crate) const MAX_TEXT: usize = 2900;
/// The most characters of a header block, which Slack takes 150 of.
const MAX_HEADER: usize = 150;
/// The most characters of a value in a field. Slack takes 2,000; the longest id has 512.
const MAX_VALUE: usize = 600;
/// The most characters of the name of a row.
const MAX_ROW_NAME: usize = 100;
/// The most characters of a line in the text for notifications; Slack wants fewer than 4,000 in all of it.
const MAX_FALLBACK_LINE: usize = 1000;
/// Facts in one section: each takes two of the 10 fields that Slack takes.
const FACTS_IN_SECTION: usize = 5;
/// The most facts and texts: with what stands around them, fewer than the 50 blocks that Slack takes.
const MAX_FACTS: usize = 60;
const MAX_QUOTES: usize = 6;
/// The most bytes of all blocks. Slack refuses more than about 13,000 with `msg_blocks_too_long`, which is not documented.
const MAX_BLOCKS_BYTES: usize = 12_000;
/// The limits of a text that are tried in turn until all blocks together are small enough.
const LIMITS: [usize; 5] = [MAX_TEXT, 1400, 700, 300, 100];

/// The blocks and the text of a message.
pub(crate) struct SlackMessage {
    pub(crate) text: String,
    pub(crate) blocks: Vec<Value>,
}

impl SlackMessage {
    pub(crate) fn of(summary: &Summary) -> Self {
        let mut blocks = vec![];
        for limit in LIMITS {
            blocks = blocks_of(summary, limit);
            if blocks.iter().map(|block| block.to_string().len()).sum::<usize>() <= MAX_BLOCKS_BYTES {
                break;
            }
        }
        Self { text: fallback(summary), blocks }
    }
}

fn blocks_of(summary: &Summary, limit: usize) -> Vec<Value> {
    let section = |text: Value| json!({ "type": "section", "text": text });
    let mut blocks = vec![json!({ "type": "header", "text": plain_line(&summary.title(), MAX_HEADER) })];
    let notes: Vec<_> = summary.ask_line().into_iter().chain(summary.notes.iter().cloned()).collect();
    if !notes.is_empty() {
        // One line each: a line break in a note would make two of it.
        let notes: Vec<_> = notes.iter().map(|note| cut::line(note, limit, cost)).collect();
        blocks.push(section(plain(&cut::lines(&notes.join("\n"), limit, cost))));
    }
    let facts: Vec<_> = summary.facts.iter().take(MAX_FACTS).collect();
    for facts in facts.chunks(FACTS_IN_SECTION) {
        let fields: Vec<_> = facts.iter().flat_map(|fact| fields_of(fact, limit)).collect();
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    if let Some(table) = summary.table.as_ref().filter(|table| !table.rows.is_empty()) {
        blocks.push(json!({ "type": "context", "elements": [plain_line(table.title, MAX_VALUE)] }));
        let rows = table.rows.iter().map(|row| {
            let name = cut::line(&row.name, MAX_ROW_NAME.min(limit), cost);
            format!("{name}: {}", table.words(row))
        });
        let rows: Vec<_> = rows.collect();
        blocks.push(section(plain(&cut::lines(&rows.join("\n"), limit, cost))));
    }
    for Quote { title, text } in summary.quotes.iter().take(MAX_QUOTES) {
        blocks.push(json!({ "type": "context", "elements": [plain_line(title, MAX_VALUE)] }));
        blocks.push(section(plain(&cut::quoted(text, limit, cost))));
    }
    let left_out =
        summary.facts.len().saturating_sub(MAX_FACTS) + summary.quotes.len().saturating_sub(MAX_QUOTES);
    if left_out > 0 {
        blocks.push(section(plain(&format!("[{left_out} more are left out here]"))));
    }
    if let Some(advice) = &summary.advice {
        blocks.push(section(plain(&cut::lines(advice, limit, cost))));
    }
    if let Some(link) = summary.link.as_deref().and_then(web_link) {
        let text = format!("{}\n<{}>", escaped(summary.link_title), escaped(&link));
        blocks.push(section(json!({ "type": "mrkdwn", "text": text, "verbatim": true })));
    }
    blocks
}

fn fields_of(fact: &Fact, limit: usize) -> [Value; 2] {
    let name = json!({ "type": "mrkdwn", "text": format!("*{}*", escaped(fact.name)), "verbatim": true });
    [name, plain_line(&fact.value, MAX_VALUE.min(limit))]
}

fn plain_line(text: &str, limit: usize) -> Value {
    plain(&cut::line(text, limit, cost))
}

/// Text that is cut already. Slack takes no empty one.
fn plain(text: &str) -> Value {
    let text = if text.trim().is_empty() { "-".to_owned() } else { escaped(text) };
    json!({ "type": "plain_text", "text": text, "emoji": false })
}

/// What notifications and readers of screens show in place of the blocks.
fn fallback(summary: &Summary) -> String {
    let lines = [Some(summary.title()), summary.ask_line()];
    let lines: Vec<_> =
        lines.into_iter().flatten().map(|line| cut::line(&line, MAX_FALLBACK_LINE, cost)).collect();
    let text = lines.join("\n");
    // The call turns formatting off for this text, but not emoji.
    let text = without_emoji(&escaped(&text));
    match summary.link.as_deref().and_then(web_link) {
        Some(link) => format!("{text}\n<{}>", escaped(&link)),
        None => text,
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

/// What a character takes of a limit once it is escaped.
fn cost(c: char) -> usize {
    match c {
        '&' => "&amp;".len(),
        '<' | '>' => "&lt;".len(),
        c => c.len_utf16(),
    }
}

/// Puts a word joiner, which cannot be seen, behind a colon that begins a name that a second one ends.
fn without_emoji(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(':') {
        out.push_str(before);
        out.push(':');
        let is_in_name = |c: char| c.is_alphanumeric() || "_-+'".contains(c);
        let behind = after.trim_start_matches(is_in_name);
        if behind.len() < after.len() && behind.starts_with(':') {
            out.push('\u{2060}');
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_between_colons_make_no_emoji() {
        assert_eq!(without_emoji("a: b, c: d"), "a: b, c: d");
        assert_eq!(without_emoji(":x: and a:tada:+1:"), ":\u{2060}x: and a:\u{2060}tada:\u{2060}+1:");
    }

    #[test]
    fn control_characters_of_slack_are_escaped_once() {
        assert_eq!(escaped("<!channel> & &amp;"), "&lt;!channel&gt; &amp; &amp;amp;");
        for c in ['&', '<', '>', 'a', '😀'] {
            assert_eq!(cost(c), escaped(&c.to_string()).encode_utf16().count());
        }
    }
}
