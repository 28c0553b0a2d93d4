//! The memory limit of the process: the limit of its control group (v2, else v1), at most the
//! physical memory.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// Limits from here on are how cgroup v1 represents "no limit".
const UNLIMITED: u64 = 1 << 60;

/// Returns the limit in bytes; `None` if the platform does not provide it.
pub(super) fn read() -> Option<u64> {
    read_below(Path::new("/"))
}

/// Reads the limit from a file system at `root`.
fn read_below(root: &Path) -> Option<u64> {
    let physical = physical_memory(&root.join("proc/meminfo"));
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let limit = cgroup_v2_limit(root, &groups).or_else(|| cgroup_v1_limit(root, &groups));
    match (limit, physical) {
        (Some(limit), Some(physical)) => Some(limit.min(physical)),
        (limit, physical) => limit.or(physical),
    }
}

/// The line of the group is `0::/path`.
fn cgroup_v2_limit(root: &Path, groups: &str) -> Option<u64> {
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    lowest_limit(&root.join("sys/fs/cgroup"), path, "memory.max")
}

/// The line of the group is `5:memory:/path`.
fn cgroup_v1_limit(root: &Path, groups: &str) -> Option<u64> {
    let path = groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let controllers = fields.next()?;
        controllers.split(',').any(|name| name == "memory").then(|| fields.next())?
    })?;
    lowest_limit(&root.join("sys/fs/cgroup/memory"), path, "memory.limit_in_bytes")
}

/// Returns the lowest limit of a group and its ancestors. Missing files are skipped: in a container
/// `path` may be the host's, while only the group itself is mounted.
fn lowest_limit(mount: &Path, path: &str, file: &str) -> Option<u64> {
    let mut group = PathBuf::from(path.trim_start_matches('/'));
    let mut lowest: Option<u64> = None;
    loop {
        let content = fs::read_to_string(mount.join(&group).join(file)).ok();
        let limit = content.and_then(|content| content.trim().parse::<u64>().ok());
        if let Some(limit) = limit.filter(|limit| *limit < UNLIMITED) {
            lowest = Some(lowest.map_or(limit, |lowest| lowest.min(limit)));
        }
        if !group.pop() {
            return lowest;
        }
    }
}

fn physical_memory(meminfo: &Path) -> Option<u64> {
    let content = fs::read_to_string(meminfo).ok()?;
    let line = content.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(files: &[(&str, &str)]) -> Option<u64> {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("hub-otel-memory-limit-{}-{number}", std::process::id());
        let root = std::env::temp_dir().join(name);
        for (name, content) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let limit = read_below(&root);
        let _ = fs::remove_dir_all(&root);
        limit
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal:       8000 kB\nMemFree:  1 kB\n");

    #[test]
    fn the_lowest_limit_of_cgroup_v2_applies() {
        let files = [
            MEMINFO,
            ("proc/self/cgroup", "0::/a/b\n"),
            ("sys/fs/cgroup/a/b/memory.max", "max\n"),
            ("sys/fs/cgroup/a/memory.max", "4096000\n"),
        ];
        assert_eq!(limit(&files), Some(4_096_000));
    }

    #[test]
    fn a_container_reads_its_group_at_the_root_of_the_mount() {
        let files = [
            MEMINFO,
            ("proc/self/cgroup", "0::/docker/abc\n"),
            ("sys/fs/cgroup/memory.max", "1048576\n"),
        ];
        assert_eq!(limit(&files), Some(1_048_576));
    }

    #[test]
    fn cgroup_v1_is_read_when_there_is_no_v2_limit() {
        let files = [
            MEMINFO,
            ("proc/self/cgroup", "3:cpu,cpuacct:/x\n5:memory:/a\n0::/\n"),
            ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "2048000\n"),
        ];
        assert_eq!(limit(&files), Some(2_048_000));
    }

    #[test]
    fn without_a_limit_the_physical_memory_is_used() {
        let unlimited = [
            MEMINFO,
            ("proc/self/cgroup", "5:memory:/a\n"),
            ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712\n"),
        ];
        assert_eq!(limit(&unlimited), Some(8_192_000));
        assert_eq!(limit(&[MEMINFO]), Some(8_192_000));
        assert_eq!(limit(&[]), None);
    }
}
