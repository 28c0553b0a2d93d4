//! How much memory the process may use before it is killed: the cgroup's limit (v2, then v1), else the physical memory.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// A limit beyond this is v1's way to say that there is none.
const UNLIMITED: u64 = 1 << 60;

/// The limit in bytes; `None` where the platform does not tell.
pub(super) fn memory() -> Option<u64> {
    read(Path::new("/"))
}

/// Of a file system that begins at `root`: the tests bring their own.
fn read(root: &Path) -> Option<u64> {
    let physical = physical(&root.join("proc/meminfo"));
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let limit = version_2(root, &groups).or_else(|| version_1(root, &groups));
    match (limit, physical) {
        (Some(limit), Some(physical)) => Some(limit.min(physical)),
        (limit, physical) => limit.or(physical),
    }
}

/// `0::/path`: the tightest `memory.max` on the way up counts.
fn version_2(root: &Path, groups: &str) -> Option<u64> {
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    tightest(&root.join("sys/fs/cgroup"), path, "memory.max")
}

/// `5:memory:/path`, on a hierarchy of its own.
fn version_1(root: &Path, groups: &str) -> Option<u64> {
    let path = groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let controllers = fields.next()?;
        controllers.split(',').any(|name| name == "memory").then(|| fields.next())?
    })?;
    tightest(&root.join("sys/fs/cgroup/memory"), path, "memory.limit_in_bytes")
}

/// In a container the path may be the host's and the mount the group's own: what is not there is passed over.
fn tightest(mount: &Path, path: &str, file: &str) -> Option<u64> {
    let mut relative = PathBuf::from(path.trim_start_matches('/'));
    let mut limit: Option<u64> = None;
    loop {
        let found = fs::read_to_string(mount.join(&relative).join(file)).ok();
        if let Some(bytes) = found
            .and_then(|text| text.trim().parse::<u64>().ok())
            .filter(|bytes| *bytes < UNLIMITED)
        {
            limit = Some(limit.map_or(bytes, |limit| limit.min(bytes)));
        }
        if !relative.pop() {
            return limit;
        }
    }
}

fn physical(meminfo: &Path) -> Option<u64> {
    let text = fs::read_to_string(meminfo).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use crate::process::limit::read;
    use std::fs;

    fn limit(files: &[(&str, &str)]) -> Option<u64> {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let root =
            std::env::temp_dir().join(format!("hub-otel-limit-{}-{number}", std::process::id()));
        for (name, text) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let limit = read(&root);
        let _ = fs::remove_dir_all(&root);
        limit
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal:       8000 kB\nMemFree:  1 kB\n");

    #[test]
    fn the_tightest_limit_of_cgroup_v2_counts() {
        let files = [
            MEMINFO,
            ("proc/self/cgroup", "0::/a/b\n"),
            ("sys/fs/cgroup/a/b/memory.max", "max\n"),
            ("sys/fs/cgroup/a/memory.max", "4096000\n"),
        ];
        assert_eq!(limit(&files), Some(4_096_000));
    }

    #[test]
    fn a_container_sees_its_own_group_at_the_root_of_the_mount() {
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
    fn without_a_limit_it_is_the_physical_memory() {
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
