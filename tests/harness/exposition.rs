//! A strict reader of the text format of Prometheus, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>): whatever is not written as this service should write it
//! is a failure. `tests/api/check` has `promtool` read it too.

use std::collections::{BTreeMap, BTreeSet};

/// What was read.
#[derive(Debug, Default)]
pub struct Exposition {
    /// The type of each metric, by name.
    pub types: BTreeMap<String, String>,
    /// The value of each series, by name and labels as they are written.
    pub series: BTreeMap<String, f64>,
}

/// Whether it is a name of a metric or label.
fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Names and values of labels, `{a="b",c="d"}`; what is left after them.
fn labels(text: &str) -> (Vec<(String, String)>, &str) {
    let Some(mut rest) = text.strip_prefix('{') else { return (Vec::new(), text) };
    let mut labels = Vec::new();
    loop {
        let (name, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {text}"));
        assert!(is_name(name), "{text}");
        let mut value = String::new();
        let mut characters = after.char_indices();
        let end = loop {
            match characters.next().unwrap_or_else(|| panic!("no end of a value: {text}")) {
                (at, '"') => break at,
                (_, '\\') => match characters.next() {
                    Some((_, escaped @ ('\\' | '"'))) => value.push(escaped),
                    Some((_, 'n')) => value.push('\n'),
                    other => panic!("no escape: {other:?} in {text}"),
                },
                (_, character) => value.push(character),
            }
        };
        labels.push((name.to_owned(), value));
        rest = &after[end + 1..];
        if let Some(after) = rest.strip_prefix('}') {
            let names: BTreeSet<_> = labels.iter().map(|(name, _)| name).collect();
            assert_eq!(names.len(), labels.len(), "a label twice: {text}");
            return (labels, after);
        }
        rest = rest.strip_prefix(',').unwrap_or_else(|| panic!("no comma: {text}"));
    }
}

impl Exposition {
    /// Reads a text.
    ///
    /// # Panics
    /// When it is not in the format.
    pub fn read(text: &str) -> Self {
        assert!(text.ends_with('\n'), "no end of the last line");
        let mut read = Self::default();
        // Of the metric whose lines these are.
        let (mut helped, mut current) = (String::new(), (String::new(), String::new()));
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').unwrap_or_else(|| panic!("no help: {line}"));
                assert!(help.len() > 10, "{line}");
                helped = name.to_owned();
                continue;
            }
            if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap_or_else(|| panic!("no type: {line}"));
                assert!(is_name(name) && name.starts_with("countersign_"), "{line}");
                assert_eq!(name, helped, "the help is before the type");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
                let again = read.types.insert(name.to_owned(), kind.to_owned());
                assert_eq!(again, None, "its lines are together: {line}");
                current = (name.to_owned(), kind.to_owned());
                continue;
            }
            let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no series: {line}"));
            let (metric, kind) = (&current.0, current.1.as_str());
            let suffix = line[..end].strip_prefix(metric.as_str());
            let suffix = suffix.unwrap_or_else(|| panic!("{line} is none of {metric}"));
            let expected = if kind == "histogram" { &["_bucket", "_sum", "_count"][..] } else { &[""] };
            assert!(expected.contains(&suffix), "{line}");
            let (labels, rest) = labels(&line[end..]);
            assert_eq!(labels.iter().any(|(name, _)| name == "le"), suffix == "_bucket", "{line}");
            let value = rest.strip_prefix(' ').and_then(|value| value.parse::<f64>().ok());
            let value = value.unwrap_or_else(|| panic!("no value: {line}"));
            assert!(kind == "gauge" || value >= 0.0, "{line}");
            let series = line[..line.len() - rest.len()].to_owned();
            assert_eq!(read.series.insert(series, value), None, "twice: {line}");
        }
        read.check_histograms(text);
        read
    }

    /// Buckets hold what smaller ones hold, and the last one holds all.
    fn check_histograms(&self, text: &str) {
        let mut last: Option<f64> = None;
        for line in text.lines() {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            let Some((name, of)) = series.split_once("_bucket{") else {
                last = None;
                continue;
            };
            let value = value.parse::<f64>().unwrap();
            assert!(last.is_none_or(|last| last <= value), "{line}");
            last = (!of.contains("le=\"+Inf\"")).then_some(value);
            if last.is_none() {
                let others = of.replace("le=\"+Inf\"", "");
                let others = others.trim_end_matches('}').trim_end_matches(',');
                let labels = if others.is_empty() { String::new() } else { format!("{{{others}}}") };
                assert_eq!(self.value(&format!("{name}_count{labels}")), value, "{line}");
                assert!(self.series.contains_key(&format!("{name}_sum{labels}")), "{line}");
            }
        }
    }

    /// The value of a series, without the prefix of all names; 0 if it is not there.
    pub fn value(&self, series: &str) -> f64 {
        let name = if series.starts_with("countersign_") {
            series.to_owned()
        } else {
            format!("countersign_{series}")
        };
        self.series.get(&name).copied().unwrap_or(0.0)
    }

    /// How many series of a metric there are.
    pub fn count(&self, metric: &str) -> usize {
        let prefix = format!("countersign_{metric}{{");
        self.series.keys().filter(|series| series.starts_with(&prefix)).count()
    }
}
