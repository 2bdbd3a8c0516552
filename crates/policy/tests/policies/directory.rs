//! What a directory must hold to be read as a policy: three files of text, of which each is named that
//! is none.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use countersign_core::policy::rules;
use countersign_core::timestamp::Timestamp;
use countersign_policy::cases;
use countersign_policy::load::{self, ACCESS_FILE, BUNDLED, BUNDLED_CASES, PolicyFiles};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A directory of its own for a test, with the policy that comes with the program.
fn directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if directory.exists() {
        std::fs::remove_dir_all(&directory).unwrap();
    }
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("operations.toml"), BUNDLED.operations).unwrap();
    std::fs::write(directory.join("people.toml"), BUNDLED.people).unwrap();
    std::fs::write(directory.join(ACCESS_FILE), BUNDLED.access).unwrap();
    std::fs::write(directory.join(cases::FILE), "cases = []\n").unwrap();
    directory
}

fn now() -> Timestamp {
    Timestamp::parse("2026-01-31T09:30:00Z").unwrap()
}

/// What is said of a file, by whichever function reads it, without its path.
#[track_caller]
fn refused(directory: &Path, file: &str) -> String {
    let said = match file {
        cases::FILE => load::read_cases(directory).unwrap_err().in_directory(directory),
        _ => {
            let said = load::checked_policy(Some(directory), now()).unwrap_err().to_string();
            assert_eq!(said, PolicyFiles::read(directory).unwrap_err().in_directory(directory));
            said
        }
    };
    said.strip_prefix(directory.join(file).to_str().unwrap()).unwrap().to_owned()
}

const FILES: [&str; 4] = ["operations.toml", "people.toml", ACCESS_FILE, cases::FILE];

#[test]
fn files_are_read_as_they_are() {
    let directory = directory("usual");
    let files = PolicyFiles::read(&directory).unwrap();
    assert_eq!(files.text().version(), BUNDLED.version());
    assert_eq!(load::checked_policy(Some(&directory), now()).unwrap().version(), BUNDLED.version());
    assert_eq!(load::read_cases(&directory).unwrap(), "cases = []\n");
    // A link is followed: that is how files are mounted.
    std::fs::rename(directory.join("people.toml"), directory.join("elsewhere")).unwrap();
    std::os::unix::fs::symlink("elsewhere", directory.join("people.toml")).unwrap();
    assert_eq!(load::checked_policy(Some(&directory), now()).unwrap().version(), BUNDLED.version());
}

#[test]
fn a_directory_that_is_not_there_is_named_itself() {
    let missing = Path::new(env!("CARGO_TARGET_TMPDIR")).join("there-is-none");
    let said = format!("the directory {} is not there", missing.display());
    assert_eq!(load::checked_policy(Some(&missing), now()).unwrap_err().to_string(), said);
    assert_eq!(load::read_cases(&missing).unwrap_err().in_directory(&missing), said);
    let file = directory("a-file").join("people.toml");
    assert_eq!(
        load::checked_policy(Some(&file), now()).unwrap_err().to_string(),
        format!("{} is not a directory", file.display())
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    for file in FILES {
        let directory = directory("incomplete");
        std::fs::remove_file(directory.join(file)).unwrap();
        let hint = if file == cases::FILE { "; it holds the cases to run" } else { "" };
        assert_eq!(refused(&directory, file), format!(": is not there{hint}"));
    }
}

#[test]
fn what_is_no_file_is_refused_and_not_waited_for() {
    let path = directory("pipe").join("people.toml");
    std::fs::remove_file(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert_eq!(refused(path.parent().unwrap(), "people.toml"), ": is not a regular file");
    for file in FILES {
        let directory = directory("endless");
        std::fs::remove_file(directory.join(file)).unwrap();
        std::os::unix::fs::symlink("/dev/zero", directory.join(file)).unwrap();
        assert_eq!(refused(&directory, file), ": is not a regular file");
        std::fs::remove_file(directory.join(file)).unwrap();
        std::fs::create_dir(directory.join(file)).unwrap();
        assert_eq!(refused(&directory, file), ": is not a regular file");
    }
}

#[test]
fn a_file_of_more_than_a_mebibyte_is_refused() {
    for file in FILES {
        let directory = directory("long");
        std::fs::File::create(directory.join(file)).unwrap().set_len(200 * 1024 * 1024).unwrap();
        assert_eq!(refused(&directory, file), ": must be at most 1048576 bytes long");
    }
    let directory = directory("just-fits");
    let comment = "#".repeat(1024 * 1024 - BUNDLED.people.len());
    std::fs::write(directory.join("people.toml"), format!("{}{comment}", BUNDLED.people)).unwrap();
    assert!(load::checked_policy(Some(&directory), now()).is_ok());
}

#[test]
fn what_is_not_utf_8_is_refused_with_its_line() {
    let utf_16 = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    for file in FILES {
        let directory = directory("encodings");
        for (bytes, said) in [
            (b"# one\n# caf\xe9\n".to_vec(), ":2: is not UTF-8: save it as UTF-8"),
            (utf_16("\u{feff}# one\n"), ":1: is not UTF-8: save it as UTF-8"),
            (utf_16("# one\n"), ":1: has a zero byte, as in UTF-16: save it as UTF-8"),
            (b"# one\n\n\0".to_vec(), ":3: has a zero byte, as in UTF-16: save it as UTF-8"),
            ("\u{feff}# one\n".into(), ":1: begins with a byte order mark: save it as UTF-8 without one"),
        ] {
            std::fs::write(directory.join(file), bytes).unwrap();
            assert_eq!(refused(&directory, file), said, "{file}");
        }
    }
}

/// What is given from now on would count, and lapse at a time at which nothing is restored.
#[test]
fn a_restore_that_is_still_to_come_is_refused() {
    let directory = directory("restored");
    let restored_at = |time: &str| {
        let text = format!("restored_at = \"{time}\"\n{}", BUNDLED.operations);
        std::fs::write(directory.join("operations.toml"), text).unwrap();
        load::checked_policy(Some(&directory), now())
    };
    for time in ["2026-01-31T09:30:00Z", "2026-01-31T11:30:00+02:00", "2020-01-01T00:00:00Z"] {
        assert!(restored_at(time).is_ok(), "{time}");
    }
    for time in ["2026-01-31T09:30:00.001Z", "2026-01-31T09:30:00-01:00", "2126-01-31T09:30:00Z"] {
        let said = restored_at(time).unwrap_err().to_string();
        assert!(
            said.contains("/operations.toml:1: restored_at must not lie in the future: it is "),
            "{said}"
        );
        assert!(said.contains("now is 2026-01-31T09:30:00.000Z"), "{said}");
    }
}

#[test]
fn a_first_policy_is_written_where_there_is_none_and_nothing_is_replaced() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("first");
    if directory.exists() {
        std::fs::remove_dir_all(&directory).unwrap();
    }
    let inner = directory.join("made").join("too");
    assert_eq!(
        load::write_first(&inner).unwrap(),
        ["operations.toml", "people.toml", "access.cedar", "tests.toml"]
    );
    assert_eq!(load::checked_policy(Some(&inner), now()).unwrap().version(), BUNDLED.version());
    assert_eq!(load::read_cases(&inner).unwrap(), BUNDLED_CASES);
    for file in ["operations.toml", "people.toml", ACCESS_FILE, cases::FILE] {
        let other = directory.join(file.replace('.', "-"));
        std::fs::create_dir(&other).unwrap();
        // A link to nowhere is a name that is taken, too.
        std::os::unix::fs::symlink(directory.join("elsewhere"), other.join(file)).unwrap();
        let said = load::write_first(&other).unwrap_err();
        assert!(
            said.ends_with(&format!("/{file} is there already, and is not replaced: name another directory")),
            "{said}"
        );
        assert_eq!(std::fs::read_dir(&other).unwrap().count(), 1, "{file}");
        assert!(!directory.join("elsewhere").exists());
    }
}

/// THREATS 55: what an editor shows otherwise than Cedar and TOML read it.
#[test]
fn threat_55_a_character_that_hides_policy_from_its_reader_is_refused_with_its_place() {
    let hidden = [
        '\r',
        '\u{b}',
        '\u{c}',
        '\u{1b}',
        '\u{7f}',
        '\u{85}',
        '\u{9b}',
        '\u{ad}',
        '\u{61c}',
        '\u{180e}',
        '\u{200b}',
        '\u{200c}',
        '\u{200d}',
        '\u{200e}',
        '\u{200f}',
        '\u{2028}',
        '\u{2029}',
        '\u{202a}',
        '\u{202b}',
        '\u{202c}',
        '\u{202d}',
        '\u{202e}',
        '\u{2060}',
        '\u{2066}',
        '\u{2067}',
        '\u{2068}',
        '\u{2069}',
        '\u{3164}',
        '\u{fe0f}',
        '\u{feff}',
        '\u{e0001}',
    ];
    let directory = directory("hidden");
    for (file, text) in [
        (rules::FILE, BUNDLED.operations),
        ("people.toml", BUNDLED.people),
        (load::ACCESS_FILE, BUNDLED.access),
    ] {
        let comment = if file == load::ACCESS_FILE { "//" } else { "#" };
        for c in hidden {
            std::fs::write(directory.join(file), format!("{comment} one\n{comment} é{c}permit\n{text}"))
                .unwrap();
            let said = refused(&directory, file);
            let place = format!(":2:{}: has ", comment.len() + 3);
            assert!(said.starts_with(&place), "{file} {c:?}: {said}");
            let code = format!("U+{:04X}", u32::from(c));
            assert!(c == '\r' || said.contains(&code), "{file} {c:?}: {said}");
        }
        // Lines may end as on Windows.
        std::fs::write(directory.join(file), text.replace('\n', "\r\n")).unwrap();
        assert!(load::checked_policy(Some(&directory), now()).is_ok(), "{file}");
        std::fs::write(directory.join(file), text).unwrap();
    }
}
