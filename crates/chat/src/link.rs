//! Links to pages of requests: which ones are shown at all, and how.

use url::Url;

/// The longest link that is shown, in bytes: more is no address of a page.
const MAX_LINK: usize = 2000;

/// A link that every channel can show: `https` or `http`, with a host, without user and password, in ASCII, without what ends a
/// link in the markup of any channel. Anything else is not shown.
pub fn web_link(link: &str) -> Option<String> {
    let url = Url::parse(link).ok()?;
    let is_web = matches!(url.scheme(), "https" | "http") && url.host_str().is_some();
    if !is_web || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let mut shown = String::new();
    for c in url.as_str().chars() {
        // What ends a link or begins a label in mrkdwn, Markdown and HTML, which is not encoded everywhere in a URL.
        if c.is_ascii_graphic() && !"<>|()[]{}\"'`\\*^".contains(c) {
            shown.push(c);
        } else {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                shown.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    (shown.len() <= MAX_LINK).then_some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_ends_where_it_ends() {
        let page = "https://approvals.example.com/approvals/01930000-0000-4000-8000-0000000000bb";
        assert_eq!(web_link(page).as_deref(), Some(page));
        let odd = web_link("https://a.example/x|<b>)](https://evil.example\")?q='`*\u{202e}").unwrap();
        assert!(!odd.contains(['|', '<', '>', '(', ')', '[', ']', '"', '\'', '`', '*', '\u{202e}']), "{odd}");
        for text in [
            "",
            "page",
            "javascript:alert(1)",
            "data:text/html,a",
            "https://a:b@c.example/",
            "ftp://a.example/",
        ] {
            assert_eq!(web_link(text), None, "{text}");
        }
        assert_eq!(web_link(&format!("https://a.example/{}", "a".repeat(2000))), None);
    }
}
