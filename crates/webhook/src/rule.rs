//! The rules that a member of a webhook can break, and where one is broken.

use strum::IntoStaticStr;

/// A rule that a member breaks. The message is for the caller and quotes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Rule {
    /// It is no URL.
    #[error("must be an absolute URL with a host, of at most 2048 visible characters of ASCII")]
    Url,
    /// It is too long.
    #[error("must be at most {max} characters")]
    TooLong {
        /// The most characters.
        max: usize,
    },
    /// It is blank.
    #[error("must not be empty")]
    Empty,
    /// A character cannot be seen, or changes how others are shown.
    #[error("must have no control characters, and none that cannot be seen or that reorder others")]
    InvisibleCharacter,
    /// There are too many.
    #[error("must be at most {max}")]
    TooMany {
        /// How many there may be.
        max: usize,
    },
    /// It is given twice.
    #[error("is given twice")]
    Duplicate,
    /// It is no name of its set.
    #[error("must be one of {names}")]
    UnknownName {
        /// The names.
        names: String,
    },
    /// It is no name of an operation and no pattern.
    #[error("must be 1 to 128 of the letters, digits and - _ . : / @ * ?")]
    OperationPattern,
    /// It is no name of a header.
    #[error("must be named by 1 to 64 of the letters, digits and ! # $ % & ' * + - . ^ _ ` | ~")]
    HeaderName,
    /// The service or the connection sets it.
    #[error("is a header that the service, the connection or an intermediary sets")]
    ReservedHeader,
    /// It is no value of a header.
    #[error("must be 1 to 1024 visible characters of ASCII, with spaces and tabs only between them")]
    HeaderValue,
}

impl Rule {
    /// The name of the rule, such as `reserved_header`.
    pub fn name(&self) -> &'static str {
        self.into()
    }
}

/// A rule that is broken, and where: a JSON pointer (RFC 6901) into the request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer} {rule}")]
pub struct Broken {
    /// Where.
    pub pointer: String,
    /// Which rule.
    pub rule: Rule,
}

/// The pointer to a member of a member.
pub(crate) fn pointer_to(member: &str, name: &str) -> String {
    format!("/{member}/{}", name.replace('~', "~0").replace('/', "~1"))
}
