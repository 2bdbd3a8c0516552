//! Signed notes (C2SP `signed-note`): a text, and signatures under it. Refuses to know what the text says.

use crate::key::PublicKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The longest note that is looked at, and the most signatures in it.
pub const MAX_NOTE_BYTES: usize = 64 * 1024;
const MAX_SIGNATURES: usize = 16;
/// An em dash and a space: how the line of a signature begins.
const SIGNATURE: &str = "\u{2014} ";

/// Why a note is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNote {
    /// It is no note.
    #[error("it is not a signed note")]
    Malformed,
    /// No key that is known has signed it.
    #[error("none of the keys has signed it")]
    Unknown,
    /// A signature that names a known key is not that key's.
    #[error("its signature is not that of the key which it names")]
    Forged,
}

/// The note of a text that ends in a line feed, signed under a name by a key.
#[must_use]
pub fn signed(text: &str, name: &str, key: &PublicKey, signature: &[u8; 64]) -> String {
    let signature = STANDARD.encode([key.note_id(name).as_slice(), signature].concat());
    format!("{text}\n{SIGNATURE}{name} {signature}\n")
}

/// The text of a note, if one of these keys has signed it under this name, and no signature of theirs is wrong.
///
/// # Errors
/// [`InvalidNote`].
pub fn open<'a, 'k>(
    note: &'a str,
    name: &str,
    keys: impl Iterator<Item = &'k PublicKey> + Clone,
) -> Result<&'a str, InvalidNote> {
    let (text, signatures) = split(note).ok_or(InvalidNote::Malformed)?;
    let mut is_signed = false;
    for (signer, id, signature) in signatures {
        // Of other names and ids there may be more: witnesses, and keys that are not known yet.
        for key in keys.clone().filter(|key| signer == name && key.note_id(name) == id) {
            if !key.verifies(text.as_bytes(), &signature) {
                return Err(InvalidNote::Forged);
            }
            is_signed = true;
        }
    }
    if is_signed { Ok(text) } else { Err(InvalidNote::Unknown) }
}

/// The text of a note whose signatures are of no interest, such as that of a file which only its owner writes.
#[must_use]
pub fn text_of(note: &str) -> Option<&str> {
    split(note).map(|(text, _)| text)
}

type SignatureLine<'a> = (&'a str, [u8; 4], Vec<u8>);

/// The text, and the signatures.
fn split(note: &str) -> Option<(&str, Vec<SignatureLine<'_>>)> {
    let is_control = |character: char| character < ' ' && character != '\n';
    if note.len() > MAX_NOTE_BYTES || note.contains(is_control) {
        return None;
    }
    let (before, lines) = note.rsplit_once("\n\n")?;
    let text = note.get(..before.len() + 1)?;
    let lines: Vec<_> = lines.strip_suffix('\n')?.split('\n').collect();
    if lines.len() > MAX_SIGNATURES {
        return None;
    }
    let signature = |line: &'_ &'_ str| -> Option<(usize, [u8; 4], Vec<u8>)> {
        let (name, encoded) = line.strip_prefix(SIGNATURE)?.split_once(' ')?;
        if name.is_empty() || name.contains(|character: char| character.is_whitespace() || character == '+') {
            return None;
        }
        let bytes = STANDARD.decode(encoded).ok()?;
        let (id, signature) = bytes.split_first_chunk::<4>()?;
        Some((name.len(), *id, signature.to_vec()))
    };
    let mut signatures = Vec::with_capacity(lines.len());
    for line in &lines {
        let (length, id, bytes) = signature(line)?;
        signatures.push((line.get(SIGNATURE.len()..SIGNATURE.len() + length)?, id, bytes));
    }
    Some((text, signatures))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{KeyStatus, PrivateKey, Purpose};

    const NAME: &str = "example.com/log";

    fn key(byte: u8) -> (PrivateKey, PublicKey) {
        let private = PrivateKey::from_bytes(&[byte; 32]);
        let public = private.public(Purpose::Log, KeyStatus::Current);
        (private, public)
    }

    /// The note that <https://pkg.go.dev/golang.org/x/mod/sumdb/note> has as its example, and its key.
    #[test]
    fn known_answer() {
        let note = "If you think cryptography is the answer to your problem,\n\
            then you don't know what your problem is.\n\n\
            \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        let bytes = STANDARD.decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").unwrap();
        let key = PublicKey::from_bytes(&bytes[1..], Purpose::Log, KeyStatus::Current).unwrap();
        assert_eq!(hex::encode(key.note_id("PeterNeumann")), "c74f20a3");
        let text = open(note, "PeterNeumann", [&key].into_iter()).unwrap();
        assert!(text.starts_with("If you") && text.ends_with("problem is.\n"));
    }

    #[test]
    fn a_note_is_believed_for_its_key_and_name_only() {
        let ((private, public), (other_private, other)) = (key(1), key(2));
        let text = "one\n\ntwo\n";
        let note = signed(text, NAME, &public, &private.sign(text.as_bytes()));
        let open_by = |note: &str, keys: &[PublicKey]| open(note, NAME, keys.iter()).map(str::to_owned);
        assert_eq!(open_by(&note, std::slice::from_ref(&public)), Ok(text.to_owned()));
        assert_eq!(open_by(&note, std::slice::from_ref(&other)), Err(InvalidNote::Unknown));
        assert_eq!(open(&note, "example.com/other", [&public].into_iter()), Err(InvalidNote::Unknown));
        // A signature of another key beside it is passed over; one that only pretends to be of this key is not.
        let both = [
            note.as_str(),
            signed(text, NAME, &other, &other_private.sign(b"else")).rsplit_once("\n\n").unwrap().1,
        ]
        .concat();
        assert_eq!(open_by(&both, std::slice::from_ref(&public)), Ok(text.to_owned()));
        assert_eq!(open_by(&both, &[public, other]), Err(InvalidNote::Forged));
        assert_eq!(text_of(&note), Some(text));
    }

    #[test]
    fn no_changed_byte_is_believed() {
        let (private, public) = key(1);
        let text = "origin\n5\n";
        let note = signed(text, NAME, &public, &private.sign(text.as_bytes()));
        for place in 0..note.len() {
            for bit in 0..8 {
                let mut bytes = note.clone().into_bytes();
                bytes[place] ^= 1 << bit;
                let Ok(changed) = String::from_utf8(bytes) else { continue };
                assert!(open(&changed, NAME, [&public].into_iter()).is_err(), "{place} {bit}: {changed:?}");
            }
            let cut = String::from_utf8_lossy(&note.as_bytes()[..place.min(8)]).into_owned();
            assert!(open(&cut, NAME, [&public].into_iter()).is_err());
        }
        for odd in [
            "",
            "\n",
            "\n\n",
            "text\n",
            "text\n\n",
            "text\n\n\n",
            &note.replace('\n', "\r\n"),
            &format!("{note}more"),
        ] {
            assert!(open(odd, NAME, [&public].into_iter()).is_err(), "{odd:?}");
        }
    }
}
