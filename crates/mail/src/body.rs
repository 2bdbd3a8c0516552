//! The two forms of a body: plain text, and the same as simple HTML without styles, scripts or anything that is fetched.

use countersign_chat::cut;
use countersign_chat::link::web_link;
use countersign_chat::summary::{Fact, Quote, Row, Summary};
use std::fmt::Write as _;

/// The most characters of a text: the longest justification twice over, since what is not shown as it is takes more.
const MAX_TEXT: usize = 8_000;
/// The most characters of a line.
const MAX_LINE: usize = 2_000;
/// The most lines, facts and texts of a message, each.
const MAX_ITEMS: usize = 200;

/// The most characters of the name of a row.
const MAX_ROW_NAME: usize = 60;

/// What both forms show, escaped against what hides and reorders, and cut.
struct Shown {
    title: String,
    notes: Vec<String>,
    facts: Vec<(&'static str, String)>,
    table: Option<ShownTable>,
    /// Titles and texts, each line behind `| `.
    quotes: Vec<(String, String)>,
    left_out: usize,
    advice: Option<String>,
    link: Option<(&'static str, String)>,
}

/// A table: its title, the names of its columns, and rows with a name each.
struct ShownTable {
    title: &'static str,
    columns: Vec<&'static str>,
    rows: Vec<(String, Vec<u64>)>,
}

impl ShownTable {
    /// None without rows.
    fn of(summary: &Summary) -> Option<Self> {
        let table = summary.table.as_ref().filter(|table| !table.rows.is_empty())?;
        let rows =
            table.rows.iter().take(MAX_ITEMS).map(|Row { name, figures }| {
                (cut::line(name, MAX_ROW_NAME, cut::characters), figures.clone())
            });
        Some(Self { title: table.title, columns: table.columns.clone(), rows: rows.collect() })
    }
}

impl Shown {
    fn of(summary: &Summary) -> Self {
        let line = |text: &str| cut::line(text, MAX_LINE, cut::characters);
        let notes: Vec<_> = summary.ask_line().into_iter().chain(summary.notes.iter().cloned()).collect();
        let left_out = |length: usize| length.saturating_sub(MAX_ITEMS);
        let facts = summary.facts.iter().take(MAX_ITEMS);
        let quotes = summary.quotes.iter().take(MAX_ITEMS);
        Self {
            title: line(&summary.title()),
            left_out: left_out(notes.len())
                + left_out(summary.facts.len())
                + left_out(summary.table.as_ref().map_or(0, |table| table.rows.len()))
                + left_out(summary.quotes.len()),
            notes: notes.iter().take(MAX_ITEMS).map(|note| line(note)).collect(),
            facts: facts.map(|Fact { name, value }| (*name, line(value))).collect(),
            table: ShownTable::of(summary),
            quotes: quotes
                .map(|Quote { title, text }| (line(title), cut::quoted(text, MAX_TEXT, cut::characters)))
                .collect(),
            advice: summary.advice.as_ref().map(|text| cut::lines(text, MAX_TEXT, cut::characters)),
            link: summary.link.as_deref().and_then(web_link).map(|link| (summary.link_title, link)),
        }
    }
}

/// The plain text. What a person wrote stands behind `| `: it cannot look like a line of ours. Writing to a string does not
/// fail.
pub(crate) fn plain(summary: &Summary) -> String {
    let Shown { title, notes, facts, table, quotes, left_out, advice, link } = Shown::of(summary);
    let mut text = format!("{title}\n\n");
    for note in &notes {
        let _ = writeln!(text, "{note}");
    }
    if !notes.is_empty() {
        text.push('\n');
    }
    for (name, value) in &facts {
        let _ = writeln!(text, "{name:<15}{value}");
    }
    if let Some(ShownTable { title, columns, rows }) = &table {
        let names = rows.iter().map(|(name, _)| name.chars().count());
        let width = names.chain([title.chars().count()]).max().unwrap_or_default();
        let headings: String = columns.iter().map(|column| format!("  {column}")).collect();
        let _ = writeln!(text, "\n{title:<width$}{headings}");
        for (name, figures) in rows {
            let figures = figures.iter().zip(columns);
            let figures: String =
                figures.map(|(figure, column)| format!("  {figure:>width$}", width = column.len())).collect();
            let _ = writeln!(text, "{name:<width$}{figures}");
        }
    }
    for (title, lines) in &quotes {
        let _ = writeln!(text, "\n{title}");
        for line in lines.lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    if left_out > 0 {
        let _ = writeln!(text, "\n[{left_out} more are left out here]");
    }
    if let Some(advice) = &advice {
        let _ = writeln!(text, "\n{advice}");
    }
    if let Some((title, link)) = &link {
        let _ = writeln!(text, "\n{title}\n{link}");
    }
    text
}

/// The HTML. `dir=auto` keeps letters that are written from right to left from moving what is around them.
pub(crate) fn html(summary: &Summary) -> String {
    let Shown { title, notes, facts, table, quotes, left_out, advice, link } = Shown::of(summary);
    let title = escaped(&title);
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n<body>\n\
         <h2 dir=\"auto\">{title}</h2>\n"
    );
    for note in &notes {
        let _ = writeln!(html, "<p dir=\"auto\">{}</p>", escaped(note));
    }
    if !facts.is_empty() {
        html.push_str("<table>\n");
        for (name, value) in &facts {
            let (name, value) = (escaped(name), escaped(value));
            let _ = writeln!(html, "<tr><th align=\"left\">{name}</th><td dir=\"auto\">{value}</td></tr>");
        }
        html.push_str("</table>\n");
    }
    if let Some(ShownTable { title, columns, rows }) = &table {
        let headings: String =
            columns.iter().map(|column| format!("<th align=\"right\">{}</th>", escaped(column))).collect();
        let title = escaped(title);
        let _ = writeln!(html, "<h3>{title}</h3>\n<table>\n<tr><th align=\"left\">Name</th>{headings}</tr>");
        for (name, figures) in rows {
            let figures: String =
                figures.iter().map(|figure| format!("<td align=\"right\">{figure}</td>")).collect();
            let _ = writeln!(html, "<tr><td dir=\"auto\">{}</td>{figures}</tr>", escaped(name));
        }
        html.push_str("</table>\n");
    }
    for (title, lines) in &quotes {
        let _ = writeln!(html, "<h3 dir=\"auto\">{}</h3>\n<blockquote>", escaped(title));
        for line in lines.lines() {
            let _ = writeln!(html, "<div dir=\"auto\">{}</div>", escaped(line));
        }
        html.push_str("</blockquote>\n");
    }
    if left_out > 0 {
        let _ = writeln!(html, "<p>[{left_out} more are left out here]</p>");
    }
    for line in advice.iter().flat_map(|advice| advice.lines()) {
        let _ = writeln!(html, "<p>{}</p>", escaped(line));
    }
    if let Some((title, link)) = &link {
        let link = escaped(link);
        let _ = writeln!(html, "<p>{}<br><a href=\"{link}\">{link}</a></p>", escaped(title));
    }
    html.push_str("</body>\n</html>\n");
    html
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
