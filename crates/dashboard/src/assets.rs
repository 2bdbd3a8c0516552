//! Style sheet, script and icon: each under a name with its digest, so that a browser keeps it for good.

use crate::answer::Answer;
use countersign_core::digest::Digest;
use std::sync::LazyLock;

const STYLE: &str = include_str!("../assets/dashboard.css");
const SCRIPT: &str = include_str!("../assets/dashboard.js");
const ICON: &str = include_str!("../assets/icon.svg");

/// The addresses of the assets.
#[derive(Debug)]
pub(crate) struct Assets {
    pub style: String,
    pub script: String,
    pub icon: String,
}

/// Digests do not change while the program runs.
static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    style: address("css", STYLE),
    script: address("js", SCRIPT),
    icon: address("svg", ICON),
});

fn address(ending: &str, text: &str) -> String {
    let digest = Digest::of(text).to_string();
    format!("/assets/{}.{ending}", digest.get(..16).unwrap_or_default())
}

/// The addresses of the assets.
pub(crate) fn assets() -> &'static Assets {
    &ASSETS
}

/// The asset of an address.
pub(crate) fn at(path: &str) -> Option<Answer> {
    let all = [
        (&ASSETS.style, "text/css; charset=utf-8", STYLE),
        (&ASSETS.script, "text/javascript; charset=utf-8", SCRIPT),
        (&ASSETS.icon, "image/svg+xml", ICON),
    ];
    let (_, content_type, text) = all.into_iter().find(|(address, ..)| *address == path)?;
    Some(Answer::asset(content_type, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_are_small_and_ask_for_nothing() {
        assert!(STYLE.len() <= 20 * 1024, "{}", STYLE.len());
        assert!(SCRIPT.len() <= 12 * 1024, "{}", SCRIPT.len());
        for text in [STYLE, SCRIPT] {
            assert!(!text.contains("://") && !text.contains("@import"), "an address");
        }
        for sink in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("] {
            assert!(!SCRIPT.contains(sink), "{sink}");
        }
    }
}
