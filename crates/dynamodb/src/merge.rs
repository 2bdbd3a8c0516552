//! The merge of several index partitions into one order: which row comes next, and which partition has
//! to be asked for that to be known.
//!
//! A partition is asked no sooner than its rows can come next, so of a history by months only those months
//! are read that a page reaches. Knows no database: its caller asks, and fills in the answers.

use crate::expression::Item;
use crate::listing::{Segment, Stage};
use crate::position::Bound;
use std::collections::VecDeque;

/// A row of an index, and its sort key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) key: String,
    pub(crate) item: Item,
}

/// A segment, and how far it has been read.
#[derive(Debug)]
pub(crate) struct Source {
    /// What is read; its range begins where the walk goes on.
    pub(crate) segment: Segment,
    /// The database's own key of where the last answer ended.
    pub(crate) start: Option<Item>,
    /// Everything before it has been read.
    bound: Bound,
    /// Whether a row with the key at which the range begins has been on an earlier page.
    without_first: bool,
    rows: VecDeque<Row>,
    is_read: bool,
}

impl Source {
    /// Whether it has been asked before.
    pub(crate) fn is_begun(&self) -> bool {
        self.start.is_some()
    }

    fn next_key(&self) -> Option<&str> {
        match self.rows.front() {
            Some(row) => Some(&row.key),
            None => (!self.is_read).then_some(&self.bound.key),
        }
    }
}

/// What has to be done next.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    /// This row comes next.
    Row(Row),
    /// Nothing is known before this source is asked, or [`Merge::bound`] taken for a later time.
    Ask(usize),
    /// No row is left.
    End,
}

/// Sources in one order.
#[derive(Debug)]
pub(crate) struct Merge {
    is_ascending: bool,
    sources: Vec<Source>,
}

impl Merge {
    /// The rows of a stage from a bound on, or all of them.
    pub(crate) fn new(stage: Stage, from: Option<&Bound>) -> Self {
        let Stage { is_ascending, segments, .. } = stage;
        let sources = segments.into_iter().filter_map(|segment| source(segment, is_ascending, from));
        Self { is_ascending, sources: sources.collect() }
    }

    /// Takes the next row out, or says why it cannot.
    pub(crate) fn next(&mut self) -> Next {
        let mut first: Option<(usize, &str)> = None;
        for (index, source) in self.sources.iter().enumerate() {
            let Some(key) = source.next_key() else { continue };
            let comes_first = match first {
                None => true,
                // Of two that are equal, the one that has to be asked: it may have the same row.
                Some((_, other)) if other == key => source.rows.is_empty(),
                Some((_, other)) => (key < other) == self.is_ascending,
            };
            if comes_first {
                first = Some((index, key));
            }
        }
        let Some((index, _)) = first else { return Next::End };
        match self.sources.get_mut(index).and_then(|source| source.rows.pop_front()) {
            Some(row) => Next::Row(row),
            None => Next::Ask(index),
        }
    }

    /// Whether the lowest key comes first.
    pub(crate) fn is_ascending(&self) -> bool {
        self.is_ascending
    }

    /// The source of this number.
    pub(crate) fn source(&self, index: usize) -> Option<&Source> {
        self.sources.get(index)
    }

    /// Where reading goes on if the source of this number is not asked now.
    pub(crate) fn bound(&self, index: usize) -> Option<Bound> {
        self.sources.get(index).map(|source| source.bound.clone())
    }

    /// Takes in the answer of a source: rows, and where the database stopped if there may be more.
    pub(crate) fn fill(&mut self, index: usize, items: Vec<Item>, stopped_at: Option<Item>) {
        let Some(source) = self.sources.get_mut(index) else { return };
        let attribute = source.segment.sort_attribute;
        let key_of = |item: &Item| item.get(attribute).and_then(|value| value.as_s().ok()).cloned();
        for item in items {
            // INVARIANT: an index holds no item without its sort key, and no other than a string.
            let key = key_of(&item).unwrap_or_else(|| source.bound.key.clone());
            if !(source.without_first && key == source.segment.begin(self.is_ascending)) {
                source.rows.push_back(Row { key, item });
            }
        }
        match stopped_at.as_ref().and_then(key_of) {
            Some(key) => source.bound = Bound::after(key),
            None => source.is_read = true,
        }
        source.start = stopped_at;
    }
}

fn source(mut segment: Segment, is_ascending: bool, from: Option<&Bound>) -> Option<Source> {
    let begin = segment.begin(is_ascending);
    let from = from.filter(|from| (from.key.as_str() > begin) == is_ascending || from.key == begin);
    let bound = from.cloned().unwrap_or_else(|| Bound { key: begin.to_owned(), is_included: true });
    if is_ascending {
        segment.range.0.clone_from(&bound.key);
    } else {
        segment.range.1.clone_from(&bound.key);
    }
    // The database refuses an empty range.
    (segment.range.0 <= segment.range.1).then(|| Source {
        segment,
        start: None,
        without_first: !bound.is_included,
        bound,
        rows: VecDeque::new(),
        is_read: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::types::AttributeValue;
    use std::collections::BTreeMap;

    fn item(key: &str) -> Item {
        Item::from([("at".to_owned(), AttributeValue::S(key.to_owned()))])
    }

    fn stage(is_ascending: bool, segments: &[(&str, &str, &str)]) -> Stage {
        let segments = segments.iter().map(|(partition, from, to)| Segment {
            index: "index",
            partition_attribute: "partition",
            partition: (*partition).to_owned(),
            sort_attribute: "at",
            range: ((*from).to_owned(), (*to).to_owned()),
        });
        Stage { name: "stage", is_ascending, segments: segments.collect() }
    }

    /// Partitions, each with its keys.
    type Partitions<'a> = BTreeMap<&'a str, Vec<&'a str>>;

    /// Answers of `size` rows, as the database gives them.
    fn answer(partitions: &Partitions<'_>, merge: &mut Merge, index: usize, size: usize) {
        let is_ascending = merge.is_ascending;
        let source = merge.source(index).unwrap();
        let Segment { partition, range: (from, to), .. } = &source.segment;
        let mut keys: Vec<_> = partitions[partition.as_str()].clone();
        keys.sort_unstable();
        if !is_ascending {
            keys.reverse();
        }
        keys.retain(|key| from.as_str() <= *key && *key <= to.as_str());
        if let Some(start) = &source.start {
            let start = start["at"].as_s().unwrap();
            keys.retain(|key| *key != start && (*key > start.as_str()) == is_ascending);
        }
        let rest = keys.split_off(keys.len().min(size));
        let stopped_at = (!rest.is_empty()).then(|| item(keys.last().unwrap()));
        merge.fill(index, keys.into_iter().map(item).collect(), stopped_at);
    }

    /// Every row in pages of `limit`, in a budget of `budget` questions each.
    fn walk(
        stage: &Stage,
        partitions: &Partitions<'_>,
        size: usize,
        limit: usize,
        budget: usize,
    ) -> Vec<String> {
        let (mut seen, mut from): (Vec<String>, Option<Bound>) = (Vec::new(), None);
        for _page in 0..10_000 {
            let mut merge = Merge::new(stage.clone(), from.as_ref());
            let (mut rows, mut asked) = (0, 0);
            loop {
                match merge.next() {
                    Next::End => return seen,
                    Next::Row(_) if rows == limit => break,
                    Next::Row(row) => {
                        rows += 1;
                        from = Some(Bound::after(&row.key));
                        if seen.last() != Some(&row.key) {
                            seen.push(row.key);
                        }
                    }
                    Next::Ask(index) if asked == budget => {
                        from = merge.bound(index);
                        break;
                    }
                    Next::Ask(index) => {
                        asked += 1;
                        answer(partitions, &mut merge, index, size);
                    }
                }
            }
        }
        panic!("the walk does not end");
    }

    #[test]
    fn every_walk_sees_every_row_once_and_in_order_whatever_its_pages_and_budgets() {
        let partitions = Partitions::from([
            ("a", vec!["01", "02", "05", "09", "20", "21"]),
            ("b", vec!["03", "04", "05", "11"]),
            ("c", vec!["12", "13", "14", "15"]),
            ("empty", vec![]),
        ]);
        let segments = [("a", "0", "3"), ("b", "0", "3"), ("c", "12", "19"), ("empty", "0", "3")];
        let mut expected = ["01", "02", "03", "04", "05", "09", "11", "12", "13", "14", "15", "20", "21"];
        for is_ascending in [true, false] {
            let stage = stage(is_ascending, &segments);
            // One row of an answer may be that which the page before ended with.
            for size in 2..6 {
                for limit in 1..8 {
                    // With fewer than there are partitions nothing would be known.
                    for budget in 4..8 {
                        let seen = walk(&stage, &partitions, size, limit, budget);
                        assert_eq!(seen, expected, "{is_ascending} {size} {limit} {budget}");
                    }
                }
            }
            expected.reverse();
        }
    }

    #[test]
    fn a_partition_is_not_asked_before_its_rows_can_come() {
        let stage =
            stage(false, &[("march", "03", "03~"), ("february", "02", "02~"), ("january", "01", "01~")]);
        let partitions =
            Partitions::from([("march", vec!["03a", "03b"]), ("february", vec!["02a"]), ("january", vec![])]);
        let mut merge = Merge::new(stage, None);
        assert_eq!(merge.next(), Next::Ask(0));
        answer(&partitions, &mut merge, 0, 10);
        assert!(matches!(merge.next(), Next::Row(row) if row.key == "03b"));
        assert!(matches!(merge.next(), Next::Row(row) if row.key == "03a"));
        assert_eq!(merge.next(), Next::Ask(1));
    }
}
