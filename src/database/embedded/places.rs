//! Where the private Postgres lives and which account runs it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use nix::libc::O_NOFOLLOW;
use nix::unistd::{Uid, User};

use super::{PORT, StartError};

/// A socket's address holds 108 bytes on Linux and 104 elsewhere.
const LONGEST_SOCKET: usize = 100;

/// The account that Postgres runs as when Daylight runs as root, which Postgres refuses.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
    name: String,
}

impl Account {
    /// `None` when Daylight isn't root: then Postgres runs as the same account. An existing
    /// cluster keeps its owner.
    fn for_cluster(cluster: &Path) -> Result<Option<Self>, StartError> {
        if !Uid::effective().is_root() {
            return Ok(None);
        }
        let owner = fs::metadata(cluster).map(|metadata| metadata.uid()).ok();
        let known = match owner.filter(|uid| *uid != 0) {
            Some(uid) => User::from_uid(Uid::from_raw(uid)).ok().flatten(),
            None => ["postgres", "nobody"].into_iter().find_map(|name| User::from_name(name).ok().flatten()),
        };
        let user = known.ok_or(StartError::NoAccount)?;
        Ok(Some(Self { uid: user.uid.as_raw(), gid: user.gid.as_raw(), name: user.name }))
    }

    /// Whether this account may pass through every folder of the (absolute) path.
    fn can_enter(&self, path: &Path) -> bool {
        path.ancestors().all(|folder| {
            fs::metadata(folder)
                .is_ok_and(|metadata| self.may_pass(metadata.mode(), metadata.uid(), metadata.gid()))
        })
    }

    fn may_pass(&self, mode: u32, owner: u32, group: u32) -> bool {
        let bit = match (owner == self.uid, group == self.gid) {
            (true, _) => 0o100,
            (false, true) => 0o010,
            (false, false) => 0o001,
        };
        mode & bit != 0
    }
}

/// The folders of one private Postgres, locked for this process.
#[derive(Debug)]
pub(super) struct Home {
    folder: PathBuf,
    pub(super) account: Option<Account>,
    /// Held until the server has stopped.
    _lock: File,
}

impl Home {
    pub(super) fn open(data_dir: &Path) -> Result<Self, StartError> {
        let using = |error| StartError::io("use the data folder", data_dir, error);
        fs::create_dir_all(data_dir).map_err(using)?;
        let data_dir = fs::canonicalize(data_dir).map_err(using)?;
        let lock = lock(&data_dir)?;

        let inside = data_dir.join("postgres");
        // Root's own folders are closed to others, and so to the account that runs Postgres. A
        // database that is already there is never left behind for an empty one elsewhere.
        let aside = PathBuf::from(format!("/var/lib/daylight-{:016x}", fingerprint(&data_dir)));
        let account = Account::for_cluster(&inside)?;
        let folder = match &account {
            Some(_) if aside.join("postgres").exists() => aside,
            Some(account) if !account.can_enter(&data_dir) => {
                if inside.exists() {
                    return Err(StartError::Closed { folder: inside, account: account.name.clone() });
                }
                fs::create_dir_all(&aside).map_err(|error| StartError::io("create", &aside, error))?;
                aside
            }
            _ => data_dir,
        };
        let account = Account::for_cluster(&folder.join("postgres"))?;
        Ok(Self { folder, account, _lock: lock })
    }

    pub(super) fn cluster(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    /// A fresh folder for `initdb`; those of starts that were cut short are removed.
    pub(super) fn fresh_cluster(&self) -> Result<PathBuf, StartError> {
        const PREFIX: &str = "postgres.initialising-";
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
                fs::remove_dir_all(entry.path())
                    .map_err(|error| StartError::io("remove the half-made", &entry.path(), error))?;
            }
        }
        let fresh = self.folder.join(format!("{PREFIX}{}", std::process::id()));
        self.private_folder(&fresh)?;
        Ok(fresh)
    }

    /// A folder for the socket, closed to others, with a path that fits a socket's address.
    pub(super) fn socket_dir(&self) -> Result<PathBuf, StartError> {
        let beside = self.folder.join("socket");
        if fits(&beside) {
            self.private_folder(&beside)?;
            return Ok(beside);
        }
        let short = format!("daylight-{:016x}", fingerprint(&self.folder));
        let run = Path::new("/run").join(&short);
        self.private_folder(&run).map(|()| run).or_else(|_| {
            let tmp = Path::new("/tmp").join(&short);
            self.private_folder(&tmp).map(|()| tmp)
        })
    }

    /// Creates a folder that belongs to Postgres's account, mode 0700. One that exists must
    /// belong to it already: in /tmp anybody could have put it there.
    fn private_folder(&self, folder: &Path) -> Result<(), StartError> {
        let failed = |error| StartError::io("make the private folder", folder, error);
        match DirBuilder::new().mode(0o700).create(folder) {
            Ok(()) => return self.give(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
        let metadata = fs::symlink_metadata(folder).map_err(failed)?;
        let uid = self.account.as_ref().map_or(Uid::effective().as_raw(), |account| account.uid);
        if !metadata.is_dir() || metadata.uid() != uid {
            return Err(failed(io::Error::other("it exists and belongs to another account")));
        }
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(failed)
    }

    /// Opens a file in the cluster for appending, never through a link, and gives it to
    /// Postgres's account: Postgres syncs every file of its folder after a crash.
    pub(super) fn own_file(&self, path: &Path) -> Result<File, StartError> {
        let file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .mode(0o600)
            .custom_flags(O_NOFOLLOW)
            .open(path)
            .map_err(|error| StartError::io("open", path, error))?;
        self.give(path)?;
        Ok(file)
    }

    fn give(&self, path: &Path) -> Result<(), StartError> {
        let Some(account) = &self.account else { return Ok(()) };
        lchown(path, Some(account.uid), Some(account.gid))
            .map_err(|error| StartError::io("change the owner of", path, error))
    }
}

fn lock(data_dir: &Path) -> Result<File, StartError> {
    let path = data_dir.join("daylight.lock");
    let failed = |error| StartError::io("lock", &path, error);
    let file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::Locked(data_dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Postgres takes the folder's name as text, and the socket's whole path must fit.
fn fits(socket_dir: &Path) -> bool {
    socket_dir.to_str().is_some_and(|text| text.len() + format!("/.s.PGSQL.{PORT}").len() < LONGEST_SOCKET)
}

/// FNV-1a: the same path gets the same folder in every version of Daylight.
fn fingerprint(path: &Path) -> u64 {
    path.as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_path_must_fit_its_address() {
        let of_length = |length: usize| PathBuf::from(format!("/{}", "x".repeat(length - 1)));
        assert!(fits(Path::new("/srv/daylight/socket")));
        assert!(fits(&of_length(85)));
        assert!(!fits(&of_length(86)));
    }

    #[test]
    fn passing_a_folder_goes_by_owner_then_group_then_others() {
        let postgres = Account { uid: 101, gid: 102, name: "postgres".into() };
        assert!(!postgres.may_pass(0o40700, 0, 0), "/root");
        assert!(postgres.may_pass(0o40755, 0, 0));
        assert!(postgres.may_pass(0o40700, 101, 0));
        assert!(postgres.may_pass(0o40710, 0, 102));
        assert!(!postgres.may_pass(0o40705, 0, 102), "the group's bits come before the others'");
    }

    #[test]
    fn a_fingerprint_never_changes() {
        assert_eq!(fingerprint(Path::new("")), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fingerprint(Path::new("a")), 0xaf63_dc4c_8601_ec8c);
    }
}
