//! A tool as its server describes it, and the digest that names this description.

use countersign_core::canonical::CanonicalJson;
use serde_json::{Map, Value};

/// What a model reads of a tool, and what decides how it is called.
const DESCRIBED: [&str; 6] = ["name", "title", "description", "inputSchema", "outputSchema", "annotations"];

/// A tool.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// What is described of it.
    pub described: Value,
    /// SHA-256 of that as canonical JSON, in hex.
    pub digest: String,
}

impl Definition {
    /// Reads an entry of a list of tools.
    pub fn of(tool: &Value) -> Option<Self> {
        let members = tool.as_object()?;
        let name = members.get("name")?.as_str()?.to_owned();
        let described = members.iter().filter(|(key, _)| DESCRIBED.contains(&key.as_str()));
        let described: Map<String, Value> =
            described.map(|(key, value)| (key.clone(), value.clone())).collect();
        let described = Value::Object(described);
        let digest = CanonicalJson::of(&described).digest().to_string();
        Some(Self { name, described, digest })
    }

    /// Whether results have a schema, which a notice would not follow.
    pub fn has_output_schema(&self) -> bool {
        self.described.get("outputSchema").is_some()
    }

    /// Arguments that a server wants as headers too, of HTTP: the path to each below the arguments, and the name of its header.
    pub fn header_arguments(&self) -> Vec<(Vec<String>, String)> {
        let mut found = Vec::new();
        if let Some(schema) = self.described.get("inputSchema") {
            header_arguments(schema, &mut Vec::new(), &mut found);
        }
        found
    }
}

fn header_arguments(schema: &Value, path: &mut Vec<String>, found: &mut Vec<(Vec<String>, String)>) {
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        path.push(name.clone());
        if let Some(header) = property.get("x-mcp-header").and_then(Value::as_str) {
            found.push((path.clone(), header.to_owned()));
        }
        header_arguments(property, path, found);
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_digest_is_of_what_a_model_reads() {
        let tool = json!({ "name": "a", "description": "d", "inputSchema": { "type": "object" }, "_meta": { "x": 1 } });
        let digest = |tool: &Value| Definition::of(tool).unwrap().digest;
        let mut other = tool.clone();
        other["_meta"] = json!({ "x": 2 });
        assert_eq!(digest(&tool), digest(&other));
        for (key, value) in [
            ("description", json!("d ")),
            ("inputSchema", json!({ "type": "object", "properties": {} })),
            ("annotations", json!({ "readOnlyHint": true })),
            ("title", json!("A")),
        ] {
            let mut other = tool.clone();
            other[key] = value;
            assert_ne!(digest(&tool), digest(&other), "{key}");
        }
        assert_eq!(Definition::of(&json!({ "description": "no name" })), None);
    }

    #[test]
    fn arguments_that_are_headers_are_found_along_properties() {
        let schema = json!({ "properties": {
            "region": { "type": "string", "x-mcp-header": "Region" },
            "at": { "type": "object", "properties": { "zone": { "type": "string", "x-mcp-header": "Zone" } } },
        }});
        let tool = Definition::of(&json!({ "name": "a", "inputSchema": schema })).unwrap();
        let path = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            tool.header_arguments(),
            [(path(&["region"]), "Region".to_owned()), (path(&["at", "zone"]), "Zone".to_owned())]
        );
    }
}
