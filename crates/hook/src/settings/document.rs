//! JSON that people write by hand, in the order in which they wrote it.

use countersign_core::canonical;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap as _, SerializeSeq as _, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::ser::PrettyFormatter;
use std::fmt;

/// A document, or a part of one.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// Members in their order.
    Object(Vec<(String, Node)>),
    /// Elements.
    Array(Vec<Node>),
    /// Anything else.
    Leaf(Value),
}

impl Node {
    /// Reads a document that is an object. What has a key twice is refused, since an agent may read the other one.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        canonical::read_foreign(text.as_bytes())
            .map_err(|error| error.to_string().replace("the body", "it"))?;
        match serde_json::from_str(text) {
            Ok(node @ Self::Object(_)) => Ok(node),
            _ => Err("it is not a JSON object".to_owned()),
        }
    }

    /// A value of our own.
    pub(super) fn of(value: Value) -> Self {
        match value {
            Value::Object(members) => {
                Self::Object(members.into_iter().map(|(name, value)| (name, Self::of(value))).collect())
            }
            Value::Array(elements) => Self::Array(elements.into_iter().map(Self::of).collect()),
            leaf => Self::Leaf(leaf),
        }
    }

    /// The member of an object.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(member, _)| member == name).map(|(_, node)| node),
            _ => None,
        }
    }

    /// The member of an object, to be changed.
    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        let Self::Object(members) = self else { return None };
        members.iter_mut().find(|(member, _)| member == name).map(|(_, node)| node)
    }

    /// The names of the members of an object.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let members = match self {
            Self::Object(members) => members.as_slice(),
            _ => &[],
        };
        members.iter().map(|(name, _)| name.as_str())
    }

    /// The member of an object, put at its end if it is not there. None of what is no object.
    pub(super) fn entry(&mut self, name: &str, new: impl FnOnce() -> Self) -> Option<&mut Self> {
        let Self::Object(members) = self else { return None };
        let index = members.iter().position(|(member, _)| member == name);
        let index = index.unwrap_or_else(|| {
            members.push((name.to_owned(), new()));
            members.len() - 1
        });
        members.get_mut(index).map(|(_, node)| node)
    }

    /// The text of a leaf.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Leaf(value) => value.as_str(),
            _ => None,
        }
    }

    /// The number of a leaf.
    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Self::Leaf(value) => value.as_u64(),
            _ => None,
        }
    }

    /// The elements of an array; of anything else none.
    pub(super) fn elements(&self) -> &[Self] {
        match self {
            Self::Array(elements) => elements,
            _ => &[],
        }
    }

    /// The document with this indentation, and a line break at its end.
    pub(super) fn print(&self, indentation: &str) -> String {
        let mut bytes = Vec::new();
        let formatter = PrettyFormatter::with_indent(indentation.as_bytes());
        let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
        // INVARIANT: keys are strings and numbers were read as JSON, so this cannot fail.
        let _ = self.serialize(&mut serializer);
        bytes.push(b'\n');
        String::from_utf8(bytes).unwrap_or_default()
    }
}

/// The white space before the first line that has some: what a level of the document is indented by.
pub(super) fn indentation(text: &str) -> &str {
    let indented = text.lines().find_map(|line| {
        let length = line.len() - line.trim_start_matches([' ', '\t']).len();
        line.get(..length).filter(|spaces| !spaces.is_empty())
    });
    indented.unwrap_or("  ")
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, node) in members {
                    map.serialize_entry(name, node)?;
                }
                map.end()
            }
            Self::Array(elements) => {
                let mut sequence = serializer.serialize_seq(Some(elements.len()))?;
                for node in elements {
                    sequence.serialize_element(node)?;
                }
                sequence.end()
            }
            Self::Leaf(value) => value.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InOrder)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Node, A::Error> {
        let mut array = Vec::new();
        while let Some(element) = elements.next_element()? {
            array.push(element);
        }
        Ok(Node::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
        let mut object = Vec::new();
        while let Some(member) = members.next_entry()? {
            object.push(member);
        }
        Ok(Node::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_keeps_its_order_and_its_indentation() {
        for text in [
            "{\n  \"z\": 1,\n  \"a\": [\n    true,\n    null,\n    {\n      \"k\": -1.5\n    }\n  ],\n  \"b\": \"\\\"x\"\n}\n",
            "{\n\t\"z\": {},\n\t\"a\": []\n}\n",
        ] {
            assert_eq!(Node::read(text).unwrap().print(indentation(text)), text);
        }
        for text in ["[]", "{\"a\":1,\"a\":2}", "{} // x", "{\"a\":1,}", ""] {
            assert!(Node::read(text).is_err(), "{text}");
        }
    }
}
