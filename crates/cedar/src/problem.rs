//! Cedar's messages, and where Cedar points with them.

use countersign_access::{Attribute, Source};
use countersign_core::policy::access::Action;
use miette::Diagnostic;
use strum::IntoEnumIterator;

/// The most tokens that a message names as what might follow.
const MAX_TOKENS: usize = 5;

/// Where Cedar points with a message: the beginning of its first label, or of the text.
pub(crate) fn place(source: &Source, diagnostic: &dyn Diagnostic) -> (usize, usize) {
    let offset = diagnostic.labels().and_then(|mut labels| labels.next()).map_or(0, |label| label.offset());
    source.line_and_column(offset)
}

/// Cedar's message in the manner of ours: one line, lower case, no final period, its advice and ours
/// in parentheses.
pub(crate) fn message(diagnostic: &dyn Diagnostic) -> String {
    let said = one_line(&diagnostic.to_string());
    let labelled = diagnostic.labels().and_then(|mut labels| labels.next());
    let label = labelled.as_ref().and_then(|label| label.label()).map(one_line);
    let advice = diagnostic.help().map(|help| one_line(&help.to_string()));
    let hint = hint(&said, label.as_deref());
    let advice = about_no_request(&said).or(advice);
    let label = label.map(|label| without_most_operators(&label).unwrap_or(label));
    let details: Vec<String> = [label, advice, hint].into_iter().flatten().collect();
    if details.is_empty() { said } else { format!("{said} ({})", details.join("; ")) }
}

/// What Cedar cannot know: how amounts are written here, and where the names of groups come from.
fn hint(said: &str, label: Option<&str>) -> Option<String> {
    let is_part_of_a_number = |token: &str| token.bytes().all(|byte| byte.is_ascii_digit());
    let token = said.strip_prefix("unexpected token `").and_then(|rest| rest.strip_suffix('`'));
    if said.contains("decimal") && said.contains("Long") {
        Some(
            "compare amounts with `.greaterThan(decimal(\"500.0\"))`, `.lessThan(…)` and the like".to_owned(),
        )
    } else if token.is_some_and(is_part_of_a_number) && label == Some("expected identifier") {
        Some("a number with a point is written `decimal(\"500.5\")`".to_owned())
    } else if said.contains("entity `Group::") {
        Some("groups are listed in people.toml".to_owned())
    } else {
        None
    }
}

/// For an author who forgets that a policy about all actions is about those that are about no request: Cedar
/// says only that an attribute is not there, and that another one is.
fn about_no_request(said: &str) -> Option<String> {
    let (_, rest) = said.split_once("attribute `")?;
    let (name, rest) = rest.split_once("` in context for Action::\"")?;
    let (action, _) = rest.split_once("\" not found")?;
    name.parse().ok().filter(|attribute: &Attribute| attribute.is_of_request())?;
    let action = Action::iter().find(|known| known.as_str() == action && !known.is_of_request())?;
    Some(format!(
        "`{0}` is about no request; a policy with `resource is Operation` is not about `{0}`",
        action.as_str()
    ))
}

/// Cedar's parser names every token that might follow, and nearly everywhere all operators might. The
/// brackets and separators are what an author has forgotten.
fn without_most_operators(label: &str) -> Option<String> {
    let tokens: Vec<&str> = label.strip_prefix("expected ")?.split(", ").collect();
    if tokens.len() <= MAX_TOKENS {
        return None;
    }
    let ends = ["`,`", "`;`", "`)`", "`]`", "`}`"];
    let kept = tokens.iter().copied().filter(|token| ends.contains(token));
    let operator = if tokens.contains(&"`&&`") { "an operator such as `&&`" } else { "an operator" };
    let kept: Vec<&str> = kept.chain([operator]).collect();
    Some(format!("expected {}", kept.join(" or ")))
}

fn one_line(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.trim_end_matches('.');
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        // `IPv6` and `Group` at the beginning of a sentence: the first is a name.
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            first.to_lowercase().chain([second]).chain(characters).collect()
        }
        _ => text.to_owned(),
    }
}
