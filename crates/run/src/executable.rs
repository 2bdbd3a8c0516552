//! Which file a command names, as `execvp` would find it in the `PATH` that the command gets.

use crate::error::BindError;
use rustix::fs::{Access, access};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The absolute path of the file that `name` means in this directory. Links are left as they are: a program may look
/// at the name that it has.
pub(crate) fn find(name: &str, directory: &Path, path: Option<&str>) -> Result<PathBuf, BindError> {
    if name.contains('/') {
        // Without the dots that are in between.
        let file: PathBuf = directory.join(name).components().collect();
        return match Found::of(&file) {
            Found::Executable => Ok(file),
            Found::Other => Err(BindError::NotExecutable { name: name.to_owned() }),
            Found::Nothing => Err(BindError::NotFound { name: name.to_owned() }),
        };
    }
    let mut is_there = false;
    for part in path.unwrap_or_default().as_bytes().split(|byte| *byte == b':') {
        // An empty part is the working directory: POSIX, 8.3.
        let file = directory.join(OsStr::from_bytes(part)).join(name);
        match Found::of(&file) {
            Found::Executable if !name.is_empty() => return Ok(file),
            Found::Executable | Found::Nothing => {}
            Found::Other => is_there = true,
        }
    }
    let name = name.to_owned();
    Err(if is_there && !name.is_empty() {
        BindError::NotExecutable { name }
    } else {
        BindError::NotFound { name }
    })
}

enum Found {
    Executable,
    Other,
    Nothing,
}

impl Found {
    fn of(file: &Path) -> Self {
        match fs::metadata(file) {
            Err(_) => Self::Nothing,
            Ok(metadata) if metadata.is_file() && access(file, Access::EXEC_OK).is_ok() => Self::Executable,
            Ok(_) => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn write(directory: &Path, name: &str, mode: u32) {
        let file = directory.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_command_is_what_its_path_finds_first() {
        let temporary = tempfile::tempdir().unwrap();
        let here = temporary.path();
        write(here, "a/tool", 0o644);
        write(here, "b/tool", 0o755);
        write(here, "here", 0o755);
        let found = |name: &str, path: &str| find(name, here, Some(path)).map_err(|error| error.to_string());
        let (a, b) = (here.join("a"), here.join("b"));
        let both = format!("{}:{}", a.display(), b.display());
        assert_eq!(found("tool", &both), Ok(b.join("tool")), "what cannot be executed is passed over");
        assert_eq!(found("./b/tool", ""), Ok(here.join("b/tool")));
        assert_eq!(found("here", &format!("{}:", a.display())), Ok(here.join("here")));
        assert!(matches!(find("tool", here, a.to_str()), Err(BindError::NotExecutable { .. })));
        assert!(matches!(find("a/tool", here, None), Err(BindError::NotExecutable { .. })));
        for name in ["nothing", "b/nothing", ""] {
            assert!(matches!(find(name, here, Some(&both)), Err(BindError::NotFound { .. })), "{name}");
        }
    }
}
