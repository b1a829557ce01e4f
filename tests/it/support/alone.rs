//! A server on a Postgres of its own, durable as in production, whose every file can be looked through.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use daylight::database::embedded::{Embedded, Settings};
use sqlx::postgres::PgConnectOptions;

use super::{TestApp, fresh_folder};

/// The database's files; Postgres stops when this is dropped.
pub struct Alone {
    /// Where the cluster is, the write-ahead log in it.
    pub folder: PathBuf,
    _stop: mpsc::Sender<()>,
}

/// Starts both. Takes about two seconds.
pub async fn start() -> (TestApp, Alone) {
    let folder = fresh_folder();
    let (told, options) = tokio::sync::oneshot::channel();
    let (stop, stopped) = mpsc::channel::<()>();
    let data_dir = folder.clone();
    // The child is tied to the thread that started it.
    std::thread::spawn(move || {
        let bindir = std::env::var_os("PG_BINDIR").map(PathBuf::from);
        let settings = Settings { data_dir, bindir, durable: true, max_connections: 20 };
        let embedded = Embedded::start(&settings).unwrap_or_else(|e| panic!("{e}"));
        let options = PgConnectOptions::new_without_pgpass()
            .socket(embedded.socket_dir())
            .port(embedded.port())
            .username(embedded.owner())
            .database(embedded.database());
        let cluster = embedded.socket_dir().parent().map(Path::to_owned).expect("a folder");
        let _ = told.send((options, cluster));
        let _ = stopped.recv();
        drop(embedded);
    });
    let (options, cluster) = options.await.expect("the database starts");
    let app = TestApp::on_database(options).await;
    daylight::database::migrate(&app.state.db).await.expect("migrated");
    (app, Alone { folder: cluster, _stop: stop })
}

impl Alone {
    /// Everything that Postgres has written down, file by file.
    pub async fn files(&self, app: &TestApp) -> Vec<(PathBuf, Vec<u8>)> {
        // What lies in buffers only is in the write-ahead log already; this makes the tables' files whole, too.
        let _ = sqlx::query("checkpoint").execute(&app.state.db).await;
        let mut files = Vec::new();
        collect(&self.folder, &mut files);
        assert!(files.iter().any(|(path, _)| path.to_string_lossy().contains("pg_wal")), "the log is there");
        files
    }
}

/// All files below a folder.
pub fn collect(folder: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if let Ok(bytes) = fs::read(&path) {
            files.push((path, bytes));
        }
    }
}
