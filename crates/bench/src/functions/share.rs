//! A share of one processor, as Lambda gives a function by its memory: one processor for 1,769 MB
//! (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>).

use std::path::{Path, PathBuf};

/// The memory that a whole processor comes with, in MB.
const MEMORY_OF_A_PROCESSOR: u64 = 1769;
/// After what time a share is given anew, in microseconds.
const PERIOD: u64 = 20_000;

/// A control group of Linux with a quota. Needs root; it is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Share {
    directory: PathBuf,
    members: &'static str,
}

impl Share {
    /// The share of a function with this much memory in MB; `None` where no group can be made.
    pub(super) fn of_memory(megabytes: u64) -> Option<Self> {
        let quota = PERIOD * megabytes / MEMORY_OF_A_PROCESSOR;
        let name = format!("countersign-bench-{}", std::process::id());
        let first = Path::new("/sys/fs/cgroup/cpu").join(&name);
        let share = if std::fs::create_dir(&first).is_ok() {
            std::fs::write(first.join("cpu.cfs_period_us"), PERIOD.to_string()).ok()?;
            std::fs::write(first.join("cpu.cfs_quota_us"), quota.to_string()).ok()?;
            Self { directory: first, members: "cgroup.procs" }
        } else {
            let second = Path::new("/sys/fs/cgroup").join(&name);
            std::fs::create_dir(&second).ok()?;
            std::fs::write(second.join("cpu.max"), format!("{quota} {PERIOD}")).ok()?;
            Self { directory: second, members: "cgroup.procs" }
        };
        Some(share)
    }

    pub(super) fn take_in(&self, process: u32) -> Result<(), String> {
        std::fs::write(self.directory.join(self.members), process.to_string())
            .map_err(|error| format!("{}: {error}", self.directory.display()))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        // Stays behind while a process of it has not ended; an empty group costs nothing.
        let _ = std::fs::remove_dir(&self.directory);
    }
}
