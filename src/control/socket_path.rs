//! Where the control socket is: one choice for the server and its clients.
//!
//! Owns: the default places. May touch: directories.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// The name of the socket in its directory; after the peers' `kamailio_ctl`.
const NAME: &str = "sipshard_ctl";

/// The places of the socket if nobody names one, best first: `/run/sipshard` (for root, or if a
/// service manager made it), `$XDG_RUNTIME_DIR/sipshard`, `/tmp/sipshard-UID`.
pub fn candidates() -> Vec<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty());
    let mut directories = vec![PathBuf::from("/run/sipshard")];
    directories.extend(runtime.map(|dir| Path::new(&dir).join("sipshard")));
    // The owner of our entry in /proc is our user.
    if let Ok(process) = std::fs::metadata("/proc/self") {
        directories.push(PathBuf::from(format!("/tmp/sipshard-{}", process.uid())));
    }
    directories.iter().map(|dir| dir.join(NAME)).collect()
}

/// The first of [`candidates`] whose directory is ours, or can be made for us alone.
pub fn choose() -> io::Result<PathBuf> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "no place for a control socket");
    for path in candidates() {
        match path.parent().map_or(Ok(()), own_directory) {
            Ok(()) => return Ok(path),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Makes the directory if it is not there. One that belongs to somebody else is refused: they could
/// put their own socket into it.
fn own_directory(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let owner = std::fs::symlink_metadata(directory)?;
    let ours = std::fs::metadata("/proc/self")?.uid();
    if !owner.is_dir() || owner.uid() != ours {
        let message = format!("{} belongs to somebody else", directory.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_made_for_its_owner_alone_and_found_again() {
        let base = tempfile::tempdir().expect("a temporary directory");
        let directory = base.path().join("sipshard");
        own_directory(&directory).expect("made");
        let mode = std::fs::metadata(&directory).expect("there").mode();
        assert_eq!(mode & 0o777, 0o700);
        own_directory(&directory).expect("found");
    }

    #[test]
    fn what_is_no_directory_is_refused() {
        let base = tempfile::tempdir().expect("a temporary directory");
        let link = base.path().join("link");
        std::os::unix::fs::symlink(base.path(), &link).expect("a link");
        assert!(own_directory(&link).is_err());
        assert!(own_directory(&base.path().join("no/such")).is_err());
    }

    #[test]
    fn the_system_directory_comes_first_and_a_private_one_last() {
        let candidates = candidates();
        assert_eq!(candidates[0], Path::new("/run/sipshard/sipshard_ctl"));
        let last = candidates.last().expect("several").display().to_string();
        assert!(last.starts_with("/tmp/sipshard-"), "{last}");
    }
}
